// Listens, reads requests, writes answers. Everything of Boost.Asio is behind this header.
//
// Threads: one I/O thread owns all sockets; requests are handled on a few worker threads, so that neither a
// large body to tokenise nor a model to load stops the others' streams. Answers come back through
// ResponseSink from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/http/http_message.h"
#include "server/http/http_parser.h"
#include "server/http/response_sink.h"

namespace r1::server {

struct HttpServerOptions {
  std::string address = "127.0.0.1";               // numeric
  uint16_t port = 8080;                            // 0: any free one
  std::string certificate_file, private_key_file;  // PEM; both or none: TLS or not
  HttpLimits limits{};
  size_t connections = 4096;               // more are answered 503 and closed
  size_t queue_bytes = size_t{4} << 20;    // unread bytes of an answer's stream before it is given up
  int64_t body_memory = int64_t{1} << 30;  // bodies of all requests; what would be more is answered 503
  int workers = 4;
  using Seconds = std::chrono::duration<double>;
  Seconds head_timeout{10};   // from a request's first byte (or the connection) to the end of its head
  Seconds body_timeout{120};  // from there to the end of the body
  Seconds idle_timeout{75};   // between requests
  Seconds write_timeout{30};  // a write that the client takes nothing of
  Seconds heartbeat{15};
};

struct HttpServerHooks {
  /// Answers a request. Called on a worker thread, or on the I/O thread when `is_quick` says so (then it must
  /// not block). Must not throw.
  std::function<void(std::shared_ptr<const HttpRequest>, std::shared_ptr<ResponseSink>)> handle;
  std::function<bool(const HttpRequest&)> is_quick;
  /// The answer to what is no request (400, 408, 413, 431, 503 …).
  std::function<HttpResponse(int status, const std::string& message)> error_page;
};

class HttpServer {
 public:
  /// Binds, listens and starts the threads. Throws Error(io) naming the address, or the certificate's file.
  HttpServer(const HttpServerOptions& options, HttpServerHooks hooks);
  /// Breaks off what still runs.
  ~HttpServer();

  uint16_t port() const;
  int64_t connections() const;
  /// Requests whose answer is not complete.
  int64_t active_requests() const;
  /// Closes idle connections, and each other one behind its answer. New ones are still answered (by then with
  /// 503, through `handle`).
  void drain();
  /// Closes everything and joins the threads.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1::server
