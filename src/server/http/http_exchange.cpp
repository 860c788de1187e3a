#include "server/http/http_exchange.h"

#include <fmt/format.h>

#include <utility>

namespace r1::server {

HttpExchange::HttpExchange(bool keep_alive, bool chunked, bool head_only, size_t queue_bytes,
                           std::shared_ptr<QuotaHold> hold, std::function<void()> wake)
    : wake_(std::move(wake)),
      hold_(std::move(hold)),
      queue_bytes_(queue_bytes),
      keep_alive_(keep_alive && chunked),
      chunked_(chunked),
      head_only_(head_only) {}

void HttpExchange::wake() {
  if (std::exchange(woken_, true)) return;
  wake_();
}

void HttpExchange::append_piece(std::string_view bytes) {
  if (bytes.empty() || head_only_) return;  // an empty chunk would end the stream
  if (chunked_) {
    fmt::format_to(std::back_inserter(outbox_), "{:x}\r\n", bytes.size());
    outbox_ += bytes;
    outbox_ += "\r\n";
  } else {
    outbox_ += bytes;
  }
}

void HttpExchange::respond(HttpResponse response) {
  const std::lock_guard lock(mutex_);
  if (aborted_ || begun_) return;
  outbox_ = serialise_head(response.status, response.headers, BodyFraming::length, response.body.size(),
                           keep_alive_);
  if (!head_only_) outbox_ += response.body;
  whole_bytes_ = outbox_.size();
  begun_ = ended_ = true;
  if (!hold_->grow_to(static_cast<int64_t>(whole_bytes_))) {
    overflowed_ = true;  // answers that nobody reads take too much memory
    outbox_.clear();
  }
  abort_callback_ = nullptr;
  wake();
}

void HttpExchange::begin_stream(int status, std::vector<HttpHeader> headers, std::string heartbeat) {
  const std::lock_guard lock(mutex_);
  if (aborted_ || begun_) return;
  outbox_ = serialise_head(status, headers, chunked_ ? BodyFraming::chunked : BodyFraming::until_close, 0,
                           keep_alive_);
  heartbeat_ = std::move(heartbeat);
  begun_ = true;
  wake();
}

bool HttpExchange::send(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (aborted_ || overflowed_ || !begun_ || ended_) return false;
  append_piece(bytes);
  if (outbox_.size() + in_flight_ > queue_bytes_) {
    overflowed_ = true;
    woken_ = false;  // while a write hangs, earlier pieces have woken it in vain
  }
  wake();
  return !overflowed_;
}

void HttpExchange::end_stream() {
  const std::lock_guard lock(mutex_);
  if (aborted_ || !begun_ || ended_) return;
  if (chunked_ && !head_only_) outbox_ += "0\r\n\r\n";
  ended_ = true;
  abort_callback_ = nullptr;
  wake();
}

void HttpExchange::on_abort(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!aborted_) {
      if (!ended_) abort_callback_ = std::move(callback);
      return;
    }
  }
  if (callback) callback();
}

bool HttpExchange::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  out.swap(outbox_);
  in_flight_ = out.size();
  return whole_bytes_ > 0 && !out.empty();
}

size_t HttpExchange::whole_bytes() const {
  const std::lock_guard lock(mutex_);
  return whole_bytes_;
}

bool HttpExchange::finished() const {
  const std::lock_guard lock(mutex_);
  return ended_ && outbox_.empty();
}

bool HttpExchange::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

void HttpExchange::beat() {
  const std::lock_guard lock(mutex_);
  if (!begun_ || ended_ || aborted_ || heartbeat_.empty() || !outbox_.empty()) return;
  append_piece(heartbeat_);
  wake();
}

void HttpExchange::abort() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(aborted_, true)) return;
    callback = std::exchange(abort_callback_, nullptr);
    outbox_.clear();
  }
  if (callback) callback();
}

}  // namespace r1::server
