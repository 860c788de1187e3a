#include "server/models/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace r1::server {

const std::vector<double> ModelMetrics::kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800};
const std::vector<double> ModelMetrics::kGaps = {0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
                                                 0.075, 0.1,    0.15,  0.2,    0.3,  0.5,   1,    2.5,  10};

std::string escape_label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void Histogram::add(double value) {
  ++counts_[std::ranges::lower_bound(bounds_, value) - bounds_.begin()];
  sum_ += value;
}

void Histogram::render(std::string_view name, std::string_view labels, std::string& out) const {
  const auto to = std::back_inserter(out);
  uint64_t total = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i];
    const std::string bound = i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf";
    fmt::format_to(to, "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bound, total);
  }
  fmt::format_to(to, "{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels, sum_, name, labels, total);
}

void ModelMetrics::first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_.add(seconds);
}

void ModelMetrics::next_token(double seconds) {
  const std::lock_guard lock(mutex_);
  gap_.add(seconds);
}

void ModelMetrics::finished(const Finished& request) {
  const std::lock_guard lock(mutex_);
  ++reasons_[std::string(request.reason)];
  prompt_tokens_ += static_cast<uint64_t>(request.prompt_tokens);
  cached_tokens_ += static_cast<uint64_t>(request.cached_tokens);
  generated_tokens_ += static_cast<uint64_t>(request.generated_tokens);
  reasoning_tokens_ += static_cast<uint64_t>(request.reasoning_tokens);
  queue_.add(request.queue_seconds);
  if (request.generated_tokens > 0) prefill_.add(request.prefill_seconds);
  total_.add(request.total_seconds);
}

void ModelMetrics::render(std::string_view model, std::string& out) const {
  const std::lock_guard lock(mutex_);
  const std::string labels = fmt::format("model=\"{}\"", escape_label(model));
  const auto to = std::back_inserter(out);
  for (const auto& [reason, count] : reasons_) {
    fmt::format_to(to, "r1_completions_total{{{},reason=\"{}\"}} {}\n", labels, reason, count);
  }
  fmt::format_to(to, "r1_prompt_tokens_total{{{}}} {}\n", labels, prompt_tokens_);
  fmt::format_to(to, "r1_cached_prompt_tokens_total{{{}}} {}\n", labels, cached_tokens_);
  fmt::format_to(to, "r1_generation_tokens_total{{{}}} {}\n", labels, generated_tokens_);
  fmt::format_to(to, "r1_reasoning_tokens_total{{{}}} {}\n", labels, reasoning_tokens_);
  queue_.render("r1_queue_seconds", labels, out);
  prefill_.render("r1_prefill_seconds", labels, out);
  first_.render("r1_time_to_first_token_seconds", labels, out);
  gap_.render("r1_inter_token_seconds", labels, out);
  total_.render("r1_request_seconds", labels, out);
}

Histogram ModelMetrics::first_tokens() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

Histogram ModelMetrics::gaps() const {
  const std::lock_guard lock(mutex_);
  return gap_;
}

std::vector<const ModelMetrics*> Metrics::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<const ModelMetrics*> list;
  for (const auto& [name, model] : models_) list.push_back(&model);
  return list;
}

Metrics::Responses Metrics::responses() const {
  const std::lock_guard lock(mutex_);
  Responses sum;
  for (const auto& [key, count] : responses_) {
    sum.all += count;
    if (key.second >= 500) sum.errors += count;
  }
  return sum;
}

void Metrics::count_response(std::string_view route, int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[{std::string(route), status}];
}

ModelMetrics& Metrics::of_model(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return models_[name];
}

std::string Metrics::render(std::string gauges) const {
  static constexpr std::pair<const char*, const char*> kTypes[] = {
      {"r1_http_responses_total", "counter"},
      {"r1_completions_total", "counter"},
      {"r1_prompt_tokens_total", "counter"},
      {"r1_cached_prompt_tokens_total", "counter"},
      {"r1_generation_tokens_total", "counter"},
      {"r1_reasoning_tokens_total", "counter"},
      {"r1_queue_seconds", "histogram"},
      {"r1_prefill_seconds", "histogram"},
      {"r1_time_to_first_token_seconds", "histogram"},
      {"r1_inter_token_seconds", "histogram"},
      {"r1_request_seconds", "histogram"},
  };
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const auto& [key, count] : responses_) {
    fmt::format_to(std::back_inserter(lines), "r1_http_responses_total{{route=\"{}\",status=\"{}\"}} {}\n",
                   escape_label(key.first), key.second, count);
  }
  for (const auto& [name, model] : models_) model.render(name, lines);
  // The format wants all lines of a metric together, behind its type.
  std::string out = std::move(gauges);
  for (const auto& [name, type] : kTypes) {
    std::string group;
    const std::string_view prefix = name;
    for (size_t at = 0; at < lines.size();) {
      const size_t end = lines.find('\n', at) + 1;
      const std::string_view line = std::string_view(lines).substr(at, end - at);
      if (line.starts_with(prefix) && (line[prefix.size()] == '{' || line[prefix.size()] == '_'))
        group += line;
      at = end;
    }
    if (!group.empty()) out += fmt::format("# TYPE {} {}\n{}", name, type, group);
  }
  return out;
}

}  // namespace r1::server
