#include "server/site/run_page.h"

#include <fmt/format.h>

#include <utility>

#include "server/http/api_error.h"
#include "server/http/host_name.h"
#include "server/site/site_pages.h"

namespace r1::server {

HttpResponse fresh_json(std::string text) {
  HttpResponse response = HttpResponse::json(200, std::move(text));
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

RunPage::RunPage(std::string_view page, std::string path, Data data, std::span<const SiteAsset> assets) {
  add_run_page_assets(router_, page, assets);
  router_.add(
      {"GET", std::move(path),
       [data = std::move(data)](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
         sink->respond(data(request));
       },
       true, false});
}

void RunPage::handle(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) const {
  try {
    const std::string_view host = request.header("host");
    if (!host.empty() && !is_loopback_name(host)) {
      throw ApiError(403, "Host", "host_not_allowed",
                     fmt::format("Host: '{}' is not a name of this server", host.substr(0, 100)));
    }
    HttpRequest copy = request;
    std::string allowed;
    const Route* route = router_.find(request.method, request.path, copy.path_rest, allowed);
    if (route == nullptr) {
      throw ApiError(
          404, "", "not_found",
          fmt::format("there is no {} {}", request.method.substr(0, 20), request.path.substr(0, 200)));
    }
    route->handler(copy, sink);
  } catch (const ApiError& error) {
    sink->respond(error_response(error));
  } catch (const std::exception& error) {
    sink->respond(error_response({500, "", "internal_error", error.what()}));
  }
}

HttpServerHooks RunPage::hooks() const {
  return {[this](const std::shared_ptr<const HttpRequest>& request,
                 const std::shared_ptr<ResponseSink>& sink) { handle(*request, sink); },
          [](const HttpRequest&) { return false; },
          [](int status, const std::string& message) {
            return error_response({status, "", "bad_request", message});
          }};
}

}  // namespace r1::server
