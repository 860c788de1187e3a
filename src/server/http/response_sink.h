// Where a handler's answer goes: one response, or a stream of pieces. The HTTP layer implements it for a
// connection; tests implement it with a string.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/http/http_message.h"

namespace r1::server {

/// One request's answer. All functions may be called from any thread; they never block. After the client is
/// gone everything is ignored.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;

  /// The whole answer, once. Not together with a stream.
  virtual void respond(HttpResponse response) = 0;

  /// Begins an answer whose length is not known. `heartbeat` is sent whenever nothing else was for a while
  /// (HttpServerOptions::heartbeat); empty: nothing is.
  virtual void begin_stream(int status, std::vector<HttpHeader> headers, std::string heartbeat) = 0;
  /// A piece of it. False: the client is gone, or reads so slowly that the connection was given up.
  virtual bool send(std::string_view bytes) = 0;
  /// The end of the stream, once.
  virtual void end_stream() = 0;

  /// Called once, on any thread, when the client goes away before the answer is complete; at once when it has
  /// gone already. Replaces the function given before; an empty one takes it back.
  virtual void on_abort(std::function<void()> callback) = 0;
};

}  // namespace r1::server
