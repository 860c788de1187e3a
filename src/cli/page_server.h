// Serves the page of a run beside the work that it shows (--ui).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/http/http_server.h"

namespace r1::cli {

/// On loopback, until it is destroyed.
class PageServer {
 public:
  /// What `hooks` call must outlive this object. `port` 0: any free one. Throws Error(io) when the port is taken,
  /// Error(invalid_argument) for one that there is not.
  PageServer(server::HttpServerHooks hooks, int64_t port);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  std::string address() const;  // "http://127.0.0.1:8090/"

 private:
  std::unique_ptr<server::HttpServer> server_;
};

}  // namespace r1::cli
