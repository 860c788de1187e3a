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
#include <optional>
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
  int64_t answer_memory =
      int64_t{1} << 30;   // whole answers that are not read yet; then connections are closed
  int owner_share = 4;    // of these two, one owner may have this part
  int workers = 4;        // of which one owner may have half (at least one)
  size_t waiting = 1024;  // requests of one owner that wait for a worker; more are answered 503
  using Seconds = std::chrono::duration<double>;
  Seconds head_timeout{10};       // from a request's first byte (or the connection) to the end of its head
  Seconds body_timeout{120};      // from there to the end of the body
  Seconds body_pause{20};         // without a byte of the body
  Seconds idle_timeout{75};       // between requests
  Seconds write_timeout{30};      // a write that the client takes nothing of
  double slowest_reader = 16384;  // bytes a second of a whole answer, beyond write_timeout
  Seconds heartbeat{15};
};

/// What is known of a request before its body is read.
struct HttpAdmission {
  std::optional<HttpResponse> refusal{};  // answered at once; the connection is closed
  std::string owner{};                    // who is charged for its memory and its turns
  size_t body_bytes = SIZE_MAX;           // the body has at most so many, within HttpLimits
};

struct HttpServerHooks {
  /// Answers a request. Called on a worker thread, or on the I/O thread when `is_quick` says so (then it must
  /// not block). Must not throw.
  std::function<void(std::shared_ptr<const HttpRequest>, std::shared_ptr<ResponseSink>)> handle;
  std::function<bool(const HttpRequest&)> is_quick;
  /// Builds the error response for a connection whose request could not be parsed or admitted.
  std::function<HttpResponse(int status, const std::string& message)> error_page;
  /// Looks at a request's head (its body is empty), on the I/O thread, before the body is read. May be empty:
  /// everybody is one owner and nothing is refused. Must not throw.
  std::function<HttpAdmission(const HttpRequest&)> admit{};
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
