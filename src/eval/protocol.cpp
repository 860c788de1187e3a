#include "eval/protocol.h"

#include <fmt/format.h>

namespace r1::eval {
namespace {

/// "GPT-4-Turbo-1106" where the paper names its judge.
std::string published_judge(const Benchmark& benchmark) {
  const bool preferences = benchmark.name == "alpaca-eval-2" || benchmark.name == "arena-hard";
  return preferences ? "GPT-4-Turbo-1106" : "";
}

}  // namespace

std::vector<ProtocolSetting> protocol_settings(const RunDescription& run, const Benchmark& benchmark) {
  std::vector<ProtocolSetting> settings;
  const auto add = [&](std::string name, std::string published, std::string here) {
    const bool differs = !published.empty() && published != here;
    settings.push_back({std::move(name), std::move(published), std::move(here), differs});
  };
  const DataSource& data = benchmark.data;
  add("samples a question (k)", fmt::format("{}", benchmark.samples), fmt::format("{}", run.samples));
  add("temperature", "0.6", fmt::format("{}", run.temperature));
  add("top-p", "0.95", fmt::format("{}", run.top_p));
  for (const auto& [name, value] : run.further_sampling) add(name, "off", fmt::format("{}", value));
  add("new tokens, thinking included", fmt::format("{}", benchmark.max_tokens),
      fmt::format("{}", run.max_tokens));
  if (run.context_length > 0 && run.context_length < run.max_tokens)
    add("context length", "not a limit", fmt::format("{}", run.context_length));
  if (!run.cache_types.empty()) add("keys and values", "", run.cache_types);
  add("system prompt", "none", run.system_prompt.empty() ? "none" : fmt::format("\"{}\"", run.system_prompt));
  add("questions", data.records > 0 ? fmt::format("{}", data.records) : "",
      run.limit >= 0 ? fmt::format("{} (limit {})", run.questions, run.limit)
                     : fmt::format("{}", run.questions));
  add("data (SHA-256)", data.sha256.empty() ? "" : data.sha256.substr(0, 12),
      run.data_sha256.empty() ? "unknown" : run.data_sha256.substr(0, 12));
  if (benchmark.judging == Judging::judge)
    add("judge", published_judge(benchmark), run.judge.empty() ? "none" : run.judge);
  return settings;
}

std::vector<std::string> incomparable(const Benchmark& benchmark) {
  std::vector<std::string> reasons;
  if (!benchmark.protocol.empty()) reasons.push_back(benchmark.protocol);
  if (benchmark.judging == Judging::judge && published_judge(benchmark).empty())
    reasons.emplace_back(
        "The release does not name its judge: verdicts of another judge are other verdicts.");
  if (benchmark.name == "codeforces") {
    reasons.emplace_back(
        "The release's rating and percentile come from ten contests with tests of its own and the field's "
        "results, which are "
        "not public: the rating here is by the problems' difficulties.");
  }
  if (benchmark.name == "livecodebench")
    reasons.emplace_back(
        "The release's window is August 2024 to January 2025: other dates are other problems.");
  return reasons;
}

}  // namespace r1::eval
