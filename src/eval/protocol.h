// How a run differs from the published protocol: each difference by name, so that nobody compares unlike numbers.
#pragma once

#include <string>
#include <vector>

#include "eval/run.h"

namespace r1::eval {

struct ProtocolSetting {
  std::string name;       // "temperature"
  std::string published;  // "0.6"; empty: the release does not say
  std::string here;
  bool differs = false;
};

/// All settings, in a fixed order: samples, sampling, budget, prompt, data, judge. The published ones are those of DeepSeek-AI 2025.
std::vector<ProtocolSetting> protocol_settings(const RunDescription& description, const Benchmark& benchmark);

/// What does not show in settings, as sentences: prompts, scoring and data that the release did not publish.
std::vector<std::string> incomparable(const Benchmark& benchmark);

}  // namespace r1::eval
