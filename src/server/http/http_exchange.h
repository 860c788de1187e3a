// One request's answer on its way from a handler's threads to a connection: the queue between them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "server/http/quota.h"
#include "server/http/response_sink.h"

namespace r1::server {

/// The connection's side is called on the I/O thread; the ResponseSink side from anywhere.
class HttpExchange : public ResponseSink {
 public:
  /// `hold`: counts a whole answer until it is written. `wake`: asks the connection to look at take() soon;
  /// callable from any thread.
  HttpExchange(bool keep_alive, bool chunked, bool head_only, size_t queue_bytes,
               std::shared_ptr<QuotaHold> hold, std::function<void()> wake);

  void respond(HttpResponse response) override;
  void begin_stream(int status, std::vector<HttpHeader> headers, std::string heartbeat) override;
  bool send(std::string_view bytes) override;
  void end_stream() override;
  void on_abort(std::function<void()> callback) override;

  /// Bytes to write next, moved into `out` (which is empty); they count as queued until the next take().
  /// True: this is a whole answer.
  bool take(std::string& out);
  /// Of a whole answer; 0: there is none yet, or this is a stream.
  size_t whole_bytes() const;
  /// Everything has been given to take().
  bool finished() const;
  bool keep_alive() const { return keep_alive_; }
  /// The client read too slowly: the connection has to go.
  bool overflowed() const;
  /// Queues the heartbeat when this is a stream that has one.
  void beat();
  /// The client is gone. Calls the callback of on_abort() unless the answer is complete.
  void abort();
  void close_after() { keep_alive_ = false; }

 private:
  void append_piece(std::string_view bytes);
  void wake();

  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::function<void()> abort_callback_;
  std::string outbox_;
  std::string heartbeat_;
  size_t in_flight_ = 0;
  size_t whole_bytes_ = 0;
  std::shared_ptr<QuotaHold> hold_;
  const size_t queue_bytes_;
  bool keep_alive_;  // I/O thread, before the head is written
  const bool chunked_, head_only_;
  bool begun_ = false, ended_ = false, aborted_ = false, overflowed_ = false, woken_ = false;
};

}  // namespace r1::server
