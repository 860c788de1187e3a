// The page of a run of this program (a training, an evaluation): a built page at "/" and the data that it asks for, on loopback.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/http/http_server.h"
#include "server/http/router.h"
#include "server/site/site_assets.h"

namespace r1::server {

/// JSON that must not be kept by the browser.
HttpResponse fresh_json(std::string text);

/// For requests that call this machine by a loopback name. Safe to use from several threads; `assets` must outlive it.
class RunPage {
 public:
  /// The answer's text to GET of the data's path; may throw ApiError. Called from several threads.
  using Data = std::function<HttpResponse(const HttpRequest&)>;

  /// `page`: the asset at "/", as "/training.html". `path`: of the data, as "/api/training".
  RunPage(std::string_view page, std::string path, Data data, std::span<const SiteAsset> assets);

  void handle(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) const;
  /// Call `handle`; must not outlive this object.
  HttpServerHooks hooks() const;

 private:
  Router router_;
};

}  // namespace r1::server
