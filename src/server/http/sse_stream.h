// Server-sent events on a ResponseSink, and what is kept of them for a client that comes back.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/response_sink.h"

namespace r1::server {

/// Safe to use from several threads. A resumable stream numbers its events and keeps them: when its client
/// goes, the events go on being collected, and attach() gives another client those behind the last one it
/// saw.
class SseStream {
 public:
  static constexpr size_t kKeptBytes = size_t{16} << 20;  // a longer stream cannot be resumed any more

  SseStream(std::shared_ptr<ResponseSink> sink, bool resumable)
      : sink_(std::move(sink)), resumable_(resumable) {}

  /// Sends the head: 200, text/event-stream. `heartbeat`: what idle streams send.
  void begin(std::vector<HttpHeader> headers, std::string heartbeat);
  /// One event; `name` may be empty. False: the client is gone for good.
  bool send(std::string_view data, std::string_view name = {});
  void end();
  /// A last event and the end, as far as there is memory for them.
  void end_with(std::string_view data, std::string_view name = {}) noexcept;

  bool resumable() const { return resumable_; }
  /// The client is gone (resumable streams only: others are cancelled by their owner).
  void detach();
  /// Another client takes over, behind event `last_seen`. False: those events are no longer kept.
  bool attach(std::shared_ptr<ResponseSink> sink, uint64_t last_seen);
  bool ended() const;
  /// Since when nobody has been listening; a time far ahead while somebody is.
  std::chrono::steady_clock::time_point idle_since() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<ResponseSink> sink_;  // null: nobody listens
  const bool resumable_;
  bool ended_ = false;
  std::vector<std::string> events_;  // event i has id i + 1
  size_t kept_bytes_ = 0;
  bool lost_ = false;  // too long: nothing is kept
  std::vector<HttpHeader> headers_;
  std::string heartbeat_;
  std::chrono::steady_clock::time_point idle_since_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace r1::server
