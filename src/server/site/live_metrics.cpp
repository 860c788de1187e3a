#include "server/site/live_metrics.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "server/api/generation_fields.h"

namespace r1::server {
namespace {

constexpr size_t kSamples = 300, kWindow = 60;

int64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  int64_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

void add_counts(std::vector<uint64_t>& sum, const std::vector<uint64_t>& more) {
  sum.resize(more.size());
  for (size_t i = 0; i < more.size(); ++i) sum[i] += more[i];
}

}  // namespace

double percentile(const std::vector<double>& bounds, const std::vector<uint64_t>& counts, double part) {
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  if (total == 0) return 0;
  const double wanted = part * static_cast<double>(total);
  double before = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (before + here >= wanted && here > 0) {
      const double low = i == 0 ? 0 : bounds[i - 1];
      return low + (bounds[i] - low) * (wanted - before) / here;
    }
    before += here;
  }
  return bounds.back();
}

Json LiveMetrics::percentiles(const std::vector<double>& bounds, std::deque<Counts>& past, Counts now) {
  past.push_back(now);
  if (past.size() > kWindow + 1) past.pop_front();
  const Counts& then = past.front();
  uint64_t total = 0;
  for (size_t i = 0; i < now.size(); ++i) {
    now[i] -= i < then.size() ? then[i] : 0;
    total += now[i];
  }
  if (total == 0) return nullptr;
  return {{"p50", 1000 * percentile(bounds, now, 0.5)}, {"p95", 1000 * percentile(bounds, now, 0.95)}};
}

Json LiveMetrics::take_sample() {
  EngineStatistics sum;
  std::string model;
  for (const auto& loaded : context_.models.loaded()) {
    const EngineStatistics now = loaded->statistics();
    if (model.empty() || now.running > sum.running) model = loaded->name();
    sum.running += now.running;
    sum.waiting += now.waiting;
    sum.blocks_total += now.blocks_total;
    sum.blocks_free += now.blocks_free;
    sum.blocks_cached += now.blocks_cached;
    sum.prompt_tokens += now.prompt_tokens;
    sum.reused_tokens += now.reused_tokens;
    sum.computed_tokens += now.computed_tokens;
    sum.generated_tokens += now.generated_tokens;
    sum.drafted_tokens += now.drafted_tokens;
    sum.accepted_tokens += now.accepted_tokens;
  }
  // A pass of decoding has a row for each token that it yields and for each draft that was refused.
  const int64_t decode_rows = sum.generated_tokens + sum.drafted_tokens - sum.accepted_tokens;
  const int64_t prompt_rows = std::max<int64_t>(0, sum.computed_tokens - decode_rows);
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::max(0.1, std::chrono::duration<double>(now - last_).count());
  const auto rate = [&](int64_t& before, int64_t value) {
    // Fewer than before: a model was unloaded.
    const double result = before < 0 || value < before ? 0.0 : static_cast<double>(value - before) / seconds;
    before = value;
    return result;
  };
  Counts first, gaps;
  std::vector<double> first_bounds, gap_bounds;
  for (const ModelMetrics* metrics : context_.metrics.models()) {
    const Histogram first_tokens = metrics->first_tokens(), between = metrics->gaps();
    add_counts(first, first_tokens.counts());
    add_counts(gaps, between.counts());
    first_bounds = first_tokens.bounds();
    gap_bounds = between.bounds();
  }
  const Metrics::Responses responses = context_.metrics.responses();
  const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
  Json sample = {
      {"time", std::chrono::duration_cast<std::chrono::milliseconds>(unix_time).count()},
      {"running", sum.running},
      {"waiting", sum.waiting},
      {"prompt_tokens_per_second", rate(prompt_rows_, prompt_rows)},
      {"output_tokens_per_second", rate(output_tokens_, sum.generated_tokens)},
      {"ttft_ms", percentiles(first_bounds, first_tokens_, std::move(first))},
      {"itl_ms", percentiles(gap_bounds, gaps_, std::move(gaps))},
      {"kv_used", (sum.blocks_total - sum.blocks_free - sum.blocks_cached) * KvCache::kBlockTokens},
      {"kv_size", sum.blocks_total * KvCache::kBlockTokens},
      {"cache_hit_rate", sum.prompt_tokens > 0 ? Json(static_cast<double>(sum.reused_tokens) /
                                                      static_cast<double>(sum.prompt_tokens))
                                               : Json()},
      {"memory_bytes", resident_bytes()},
      {"requests", responses.all},
      {"errors", responses.errors},
      {"model", model.empty() ? Json() : Json(model)}};
  last_ = now;
  return sample;
}

void LiveMetrics::tick() {
  const std::lock_guard lock(mutex_);
  samples_.push_back(take_sample());
  if (samples_.size() > kSamples) samples_.pop_front();
  const std::string event =
      fmt::format("id: {}\nevent: sample\ndata: {}\n\n", ++last_id_, to_text(samples_.back()));
  std::erase_if(listeners_, [&](const Listener& listener) { return !listener.sink->send(event); });
}

void LiveMetrics::attach(const std::shared_ptr<ResponseSink>& sink) {
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    sink->begin_stream(200,
                       {{"Content-Type", "text/event-stream; charset=utf-8"},
                        {"Cache-Control", "no-store"},
                        {"X-Accel-Buffering", "no"}},
                       kHeartbeat);
    const Json history = {{"samples", std::vector<Json>(samples_.begin(), samples_.end())}};
    sink->send(fmt::format("id: {}\nevent: history\ndata: {}\n\n", last_id_, to_text(history)));
    if (closed_) return sink->end_stream();
    number = next_listener_++;
    listeners_.push_back({number, sink});
  }
  sink->on_abort([weak = weak_from_this(), number] {
    if (const auto self = weak.lock()) self->detach(number);
  });
}

void LiveMetrics::detach(uint64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [&](const Listener& listener) { return listener.number == number; });
}

void LiveMetrics::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const Listener& listener : listeners_) listener.sink->end_stream();
  listeners_.clear();
}

}  // namespace r1::server
