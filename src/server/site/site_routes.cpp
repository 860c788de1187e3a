// Who may ask what under /api/site; sign-in, info and settings.
#include <algorithm>

#include "server/api/chat_prompt.h"
#include "server/site/site_errors.h"
#include "server/site/site_prompt.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

constexpr std::string_view kRoot = "/api/site", kCookie = "r1_session";

/// Value of a cookie; empty: it was not sent.
std::string_view cookie(const HttpRequest& request, std::string_view name) {
  std::string_view rest = request.header("cookie");
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
      return one.substr(name.size() + 1);
  }
  return {};
}

std::string owner_of_key(const std::string& key_name) {
  // Who may use the server without a key, and who gave it its key on the command line, are the same person.
  return std::string(key_name == Authenticator::kCommandLine ? kLocalOwner : kKeyOwner) +
         (key_name == Authenticator::kCommandLine ? "" : key_name);
}

/// Whether the path is the pattern with something for each "*", which go to `ids`.
bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& ids) {
  ids.clear();
  while (true) {
    const size_t pattern_end = std::min(pattern.find('/', 1), pattern.size());
    const size_t path_end = std::min(path.find('/', 1), path.size());
    const std::string_view expected = pattern.substr(0, pattern_end), found = path.substr(0, path_end);
    if (expected == "/*" && found.size() > 1) {
      ids.emplace_back(found.substr(1));
    } else if (expected != found) {
      return false;
    }
    pattern.remove_prefix(pattern_end);
    path.remove_prefix(path_end);
    if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
  }
}

/// A foreign page can send neither without a preflight, which is never granted.
void check_intent(const HttpRequest& request, bool upload) {
  if (request.method == "GET" || request.method == "HEAD") return;
  if (request.header("x-r1-site") != "1")
    throw ApiError(403, "X-R1-Site", "forbidden", "the header X-R1-Site: 1 is missing");
  const std::string_view type = request.header("content-type");
  if (upload || request.body.empty()) return;
  if (!equal_ignoring_case(type.substr(0, type.find(';')), "application/json"))
    throw ApiError(403, "Content-Type", "forbidden", "Content-Type: expected application/json");
}

void dispatch(SiteService& site, const std::vector<SiteRoute>& routes, const HttpRequest& http,
              const std::shared_ptr<ResponseSink>& sink) {
  const std::string path = "/" + http.path_rest;
  SiteRequest request{http, "", {}};
  const std::string method = http.method == "HEAD" ? "GET" : http.method;
  for (const SiteRoute& route : routes) {
    if (route.method != method || !fits(route.pattern, path, request.ids)) continue;
    check_intent(http, route.upload);
    request.owner = site_owner(site.context.authenticator, http).value_or("");
    if (request.owner.empty() && !route.open)
      throw ApiError(401, "", "sign_in_required", "sign in with a key first");
    return route.handler(site, request, sink);
  }
  throw ApiError(404, "", "not_found",
                 fmt::format("there is no {} {}{}", method, kRoot, path.substr(0, 200)));
}

void show_info(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const bool signed_in = !request.owner.empty();
  const bool needed = site.context.authenticator.key_needed();
  Json info = {{"version", site.context.version},
               {"sign_in", !needed     ? "none"
                           : signed_in ? "done"
                                       : "required"},
               {"models", Json::array()},
               {"search", Json::array()}};
  if (signed_in) {
    for (const auto& model : site.context.models.list()) {
      info["models"].push_back(
          {{"name", model.name},
           {"loaded", model.loaded},
           {"default", info["models"].empty()},
           {"context", model.context_length},
           {"thinking", name_of(thinking_switch(model.can_think, model.chat_template))}});
    }
    for (const auto& provider : site.providers) {
      const auto reason = provider->reason_not_ready();
      info["search"].push_back({{"name", provider->name()},
                                {"ready", !reason.has_value()},
                                {"reason", reason ? Json(*reason) : Json()}});
    }
  }
  info["files"] = {{"max_bytes", site.extractor.limits().file_bytes},
                   {"extensions", site::FileExtractor::extensions()}};
  info["index"] = {{"may_change", request.owner == kLocalOwner}};
  reply(sink, 200, info);
}

void sign_in(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  const std::string key = fields.required_text("key");
  fields.refuse_unknown();
  if (!site.context.authenticator.key_needed()) return reply_nothing(sink);
  if (!site.context.authenticator.name_of(key))
    throw ApiError(401, "key", "sign_in_required", "this key is not known");
  reply_nothing(
      sink,
      {{"Set-Cookie",
        fmt::format("{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}{}", kCookie,
                    site.context.authenticator.open_session(key),
                    std::chrono::duration_cast<std::chrono::seconds>(Authenticator::kSessionTime).count(),
                    site.options.secure_cookies ? "; Secure" : "")}});
}

void sign_out(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  site.context.authenticator.close_session(cookie(request.http, kCookie));
  reply_nothing(sink, {{"Set-Cookie", fmt::format("{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0{}",
                                                  kCookie, site.options.secure_cookies ? "; Secure" : "")}});
}

}  // namespace

std::optional<std::string> site_owner(const Authenticator& authenticator, const HttpRequest& request) {
  if (!authenticator.key_needed()) return std::string(kLocalOwner);
  if (const auto name = authenticator.session(cookie(request, kCookie))) return owner_of_key(*name);
  std::string_view given = request.header("authorization");
  if (given.size() <= 7 || !equal_ignoring_case(given.substr(0, 7), "bearer ")) return std::nullopt;
  const auto name = authenticator.name_of(given.substr(7));
  return name ? std::optional(owner_of_key(*name)) : std::nullopt;
}

void add_session_routes(std::vector<SiteRoute>& routes) {
  for (SiteRoute route : {plain_route("GET", "/info", show_info), plain_route("POST", "/session", sign_in),
                          plain_route("DELETE", "/session", sign_out)}) {
    route.open = true;
    routes.push_back(std::move(route));
  }
  routes.push_back(
      plain_route("GET", "/settings", [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
        reply(sink, 200, site.store.settings(request.owner));
      }));
  routes.push_back(plain_route("PATCH", "/settings",
                               [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
                                 reply(sink, 200, site.store.change_settings(request.owner, request.json()));
                               }));
}

void add_site_routes(Router& router, SiteService& site) {
  auto routes = std::make_shared<std::vector<SiteRoute>>();
  add_session_routes(*routes);
  add_conversation_routes(*routes);
  add_answer_routes(*routes);
  add_library_routes(*routes);
  const Handler handler = [&site, routes](const HttpRequest& request,
                                          const std::shared_ptr<ResponseSink>& sink) {
    try {
      dispatch(site, *routes, request, sink);
    } catch (const ApiError& error) {
      throw site_error(error);
    } catch (const Error& error) {
      throw site_error(error);
    }
  };
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"})
    router.add({method, std::string(kRoot) + "/*", handler, true});  // it looks at keys and cookies itself
}

}  // namespace r1::server
