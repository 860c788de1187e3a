// What the chat site's page of live figures shows: a sample a second, the last 300 kept
// (docs/site-api.md, "Metrics").
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "server/api/server_context.h"
#include "server/http/api_error.h"
#include "server/http/response_sink.h"

namespace r1::server {

/// Value below which a share `part` of a histogram's counts lies, by linear interpolation inside its bucket;
/// beyond the last bound: that bound. Nothing counted: 0.
double percentile(const std::vector<double>& bounds, const std::vector<uint64_t>& counts, double part);

/// Safe to use from several threads.
class LiveMetrics : public std::enable_shared_from_this<LiveMetrics> {
 public:
  explicit LiveMetrics(ServerContext& context) : context_(context) {}

  /// Takes a sample and sends it to all that look. Call once a second.
  void tick();
  /// history, then a sample a second.
  void attach(const std::shared_ptr<ResponseSink>& sink);
  /// Ends the streams; none begin any more.
  void close();

 private:
  using Counts = std::vector<uint64_t>;
  struct Listener {
    uint64_t number;
    std::shared_ptr<ResponseSink> sink;
  };
  Json take_sample();
  static Json percentiles(const std::vector<double>& bounds, std::deque<Counts>& past, Counts now);
  void detach(uint64_t number);

  ServerContext& context_;
  std::mutex mutex_;
  std::deque<Json> samples_;
  std::deque<Counts> first_tokens_, gaps_;  // the histograms of the last minute, a second apart
  int64_t prompt_rows_ = -1, output_tokens_ = -1;
  std::chrono::steady_clock::time_point last_;
  uint64_t last_id_ = 0, next_listener_ = 0;
  std::vector<Listener> listeners_;
  bool closed_ = false;
};

}  // namespace r1::server
