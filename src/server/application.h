// The server as a whole, without sockets: who may ask, which handler answers, how errors are told, how it
// ends.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/api/server_context.h"
#include "server/http/http_server.h"
#include "server/http/router.h"

namespace r1::server {

class SiteService;
struct SiteOptions;

struct ApplicationOptions {
  bool loopback = true;                        // bound to this machine only: the Host header is checked
  std::vector<std::string> allowed_hosts{};    // Host names besides localhost (DNS rebinding)
  std::vector<std::string> allowed_origins{};  // other origins that browsers may call from; "*": any
  std::string api_key;                         // one key from the command line; empty: none
  KeyStore* keys = nullptr;                    // keys of `r1 keys`, which requests then need; not owned
  std::chrono::duration<double> resume_time{60};
  std::string version;
};

/// Safe to use from several threads once the routes are there.
class Application {
 public:
  Application(ModelHost& models, ApplicationOptions options);
  ~Application();

  /// Serves the chat site's back end too. Before the first request. Throws Error where its files cannot be
  /// opened.
  void open_site(const SiteOptions& options);
  Router& router() { return router_; }
  ServerContext& context() { return context_; }

  void handle(const std::shared_ptr<const HttpRequest>& request, const std::shared_ptr<ResponseSink>& sink);
  bool is_quick(const HttpRequest& request) const;
  /// What is decided about a request by its head alone: host, origin, key and the key's limits.
  HttpAdmission admit(const HttpRequest& head);
  HttpServerHooks hooks();

  /// From now on: 503 to everything new.
  void drain();
  /// Ends what still runs, with an error event.
  void cancel_all();
  /// Once a second or so.
  void tidy();

 private:
  bool is_local_name(std::string_view host) const;
  bool is_allowed_origin(const HttpRequest& request) const;
  /// Throws ApiError when the request may not be answered.
  void check_host_and_origin(const HttpRequest& request) const;
  std::string authenticate(const HttpRequest& request) const;
  HttpAdmission admit_by_route(const HttpRequest& head);
  std::vector<HttpHeader> cors_headers(const HttpRequest& request) const;
  void store_usage();
  void dispatch(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink);

  ApplicationOptions options_;
  Metrics metrics_;
  JobRegistry jobs_;
  Authenticator authenticator_;
  RateLimiter limiter_;
  std::atomic<bool> draining_{false};
  ServerContext context_;
  Router router_;
  std::unique_ptr<SiteService> site_;  // last: its answers use the rest
};

}  // namespace r1::server
