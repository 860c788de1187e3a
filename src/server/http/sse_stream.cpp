#include "server/http/sse_stream.h"

#include <fmt/format.h>

namespace r1::server {

using Clock = std::chrono::steady_clock;

void SseStream::begin(std::vector<HttpHeader> headers, std::string heartbeat) {
  const std::lock_guard lock(mutex_);
  headers_ = std::move(headers);
  headers_.push_back({"Content-Type", "text/event-stream; charset=utf-8"});
  headers_.push_back({"Cache-Control", "no-cache"});
  headers_.push_back({"X-Accel-Buffering", "no"});
  heartbeat_ = std::move(heartbeat);
  if (sink_) sink_->begin_stream(200, headers_, heartbeat_);
}

bool SseStream::send(std::string_view data, std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  std::string event;
  event.reserve(data.size() + name.size() + 32);
  if (resumable_) event += fmt::format("id: {}\n", events_.size() + 1);
  if (!name.empty()) event.append("event: ").append(name).append("\n");
  event.append("data: ").append(data).append("\n\n");
  if (!resumable_) return sink_ && sink_->send(event);
  if (sink_ && !sink_->send(event)) {
    sink_ = nullptr;
    idle_since_ = Clock::now();
  }
  kept_bytes_ += event.size();
  if (kept_bytes_ > kKeptBytes) lost_ = true;
  if (lost_ && !sink_) return false;
  events_.push_back(lost_ ? std::string() : std::move(event));
  return true;
}

void SseStream::end() {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = true;
  if (sink_) sink_->end_stream();
  sink_ = nullptr;
  idle_since_ = Clock::now();
}

void SseStream::end_with(std::string_view data, std::string_view name) noexcept {
  try {
    send(data, name);
  } catch (const std::exception&) {  // the end says enough
  }
  try {
    end();
  } catch (const std::exception&) {  // the client's own time limit ends it
  }
}

void SseStream::detach() {
  const std::lock_guard lock(mutex_);
  if (!sink_) return;
  sink_ = nullptr;
  idle_since_ = Clock::now();
}

bool SseStream::attach(std::shared_ptr<ResponseSink> sink, uint64_t last_seen) {
  const std::lock_guard lock(mutex_);
  if (lost_ || last_seen > events_.size()) return false;
  if (sink_) sink_->end_stream();  // the older client: one listens at a time
  sink->begin_stream(200, headers_, heartbeat_);
  std::string missed;
  for (size_t event = last_seen; event < events_.size(); ++event) missed += events_[event];
  sink->send(missed);
  if (ended_) {
    sink->end_stream();
    return true;
  }
  sink_ = std::move(sink);
  idle_since_ = Clock::time_point::max();
  return true;
}

bool SseStream::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Clock::time_point SseStream::idle_since() const {
  const std::lock_guard lock(mutex_);
  return idle_since_;
}

}  // namespace r1::server
