// A client's connection: bytes in, requests out, answers back. Includes Boost.Asio: for http_server.cpp and
// http_connection.cpp only.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "server/http/http_server.h"
#include "server/http/quota.h"
#include "server/http/work_queue.h"

namespace r1::server {

/// What connections share. Owned by the server, outlives them.
struct HttpShared {
  HttpServerOptions options;
  HttpServerHooks hooks;
  boost::asio::io_context io{1};
  std::unique_ptr<WorkQueue> workers;
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> active_requests{0};
  Quota bodies, answers;  // bytes; I/O thread
  Quota open;             // requests that are not answered yet; I/O thread
  std::atomic<bool> draining{false};
};

/// On the I/O thread only.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  virtual void start() = 0;
  /// Looks at the clock: timeouts and heartbeats. Called several times a second.
  virtual void tick(std::chrono::steady_clock::time_point now) = 0;
  virtual void close() = 0;
  virtual bool closed() const = 0;
  /// Nothing of a request is there.
  virtual bool idle() const = 0;
};

/// `tls`: null for plain HTTP. `refuse`: answer 503 to the first request and close.
std::shared_ptr<HttpConnection> make_connection(HttpShared& shared, boost::asio::ip::tcp::socket socket,
                                                boost::asio::ssl::context* tls, bool refuse);

}  // namespace r1::server
