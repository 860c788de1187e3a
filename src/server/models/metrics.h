// Counters and histograms in Prometheus' text format (version 0.0.4). All functions may be called from any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace r1::server {

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void add(double value);
  void render(std::string_view name, std::string_view labels, std::string& out) const;
  const std::vector<double>& bounds() const { return bounds_; }
  /// One more than bounds: the last are those above all of them.
  const std::vector<uint64_t>& counts() const { return counts_; }

 private:
  std::vector<double> bounds_;  // ascending
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

/// One model's figures.
class ModelMetrics {
 public:
  struct Finished {
    std::string_view reason;
    int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, reasoning_tokens = 0;
    double queue_seconds = 0, prefill_seconds = 0, total_seconds = 0;
  };
  void first_token(double seconds);
  void next_token(double seconds);
  void finished(const Finished& request);
  void render(std::string_view model, std::string& out) const;
  Histogram first_tokens() const;
  Histogram gaps() const;

 private:
  mutable std::mutex mutex_;
  Histogram queue_{kSeconds}, prefill_{kSeconds}, first_{kSeconds}, total_{kSeconds}, gap_{kGaps};
  std::map<std::string, uint64_t, std::less<>> reasons_;
  uint64_t prompt_tokens_ = 0, cached_tokens_ = 0, generated_tokens_ = 0, reasoning_tokens_ = 0;

  static const std::vector<double> kSeconds, kGaps;
};

/// Of the whole server.
class Metrics {
 public:
  void count_response(std::string_view route, int status);
  ModelMetrics& of_model(const std::string& name);
  std::vector<const ModelMetrics*> models() const;
  struct Responses {
    uint64_t all = 0, errors = 0;  // errors: 500 and above
  };
  Responses responses() const;
  /// `gauges`: lines already in the format, put in front.
  std::string render(std::string gauges) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, ModelMetrics> models_;  // never removed: references stay valid
  std::map<std::pair<std::string, int>, uint64_t> responses_;
};

/// A label's value with its quotes and backslashes escaped.
std::string escape_label(std::string_view value);

}  // namespace r1::server
