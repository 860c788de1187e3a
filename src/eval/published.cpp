#include "eval/published.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace r1::eval {
namespace {

constexpr auto kRelease = std::to_array<PublishedScore>({
    // clang-format off
    {"mmlu", "Pass@1", "Claude-3.5-Sonnet-1022", 0.883},
    {"mmlu", "Pass@1", "GPT-4o-0513", 0.872},
    {"mmlu", "Pass@1", "DeepSeek-V3", 0.885},
    {"mmlu", "Pass@1", "o1-mini", 0.852},
    {"mmlu", "Pass@1", "o1-1217", 0.918},
    {"mmlu", "Pass@1", "DeepSeek-R1", 0.908},
    {"mmlu-redux", "EM", "Claude-3.5-Sonnet-1022", 0.889},
    {"mmlu-redux", "EM", "GPT-4o-0513", 0.88},
    {"mmlu-redux", "EM", "DeepSeek-V3", 0.891},
    {"mmlu-redux", "EM", "o1-mini", 0.867},
    {"mmlu-redux", "EM", "DeepSeek-R1", 0.929},
    {"mmlu-pro", "EM", "Claude-3.5-Sonnet-1022", 0.78},
    {"mmlu-pro", "EM", "GPT-4o-0513", 0.726},
    {"mmlu-pro", "EM", "DeepSeek-V3", 0.759},
    {"mmlu-pro", "EM", "o1-mini", 0.803},
    {"mmlu-pro", "EM", "DeepSeek-R1", 0.84},
    {"drop", "3-shot F1", "Claude-3.5-Sonnet-1022", 0.883},
    {"drop", "3-shot F1", "GPT-4o-0513", 0.837},
    {"drop", "3-shot F1", "DeepSeek-V3", 0.916},
    {"drop", "3-shot F1", "o1-mini", 0.839},
    {"drop", "3-shot F1", "o1-1217", 0.902},
    {"drop", "3-shot F1", "DeepSeek-R1", 0.922},
    {"if-eval", "Prompt Strict", "Claude-3.5-Sonnet-1022", 0.865},
    {"if-eval", "Prompt Strict", "GPT-4o-0513", 0.843},
    {"if-eval", "Prompt Strict", "DeepSeek-V3", 0.861},
    {"if-eval", "Prompt Strict", "o1-mini", 0.848},
    {"if-eval", "Prompt Strict", "DeepSeek-R1", 0.833},
    {"gpqa-diamond", "Pass@1", "Claude-3.5-Sonnet-1022", 0.65},
    {"gpqa-diamond", "Pass@1", "GPT-4o-0513", 0.499},
    {"gpqa-diamond", "Pass@1", "DeepSeek-V3", 0.591},
    {"gpqa-diamond", "Pass@1", "o1-mini", 0.6},
    {"gpqa-diamond", "Pass@1", "o1-1217", 0.757},
    {"gpqa-diamond", "Pass@1", "DeepSeek-R1", 0.715},
    {"simpleqa", "Correct", "Claude-3.5-Sonnet-1022", 0.284},
    {"simpleqa", "Correct", "GPT-4o-0513", 0.382},
    {"simpleqa", "Correct", "DeepSeek-V3", 0.249},
    {"simpleqa", "Correct", "o1-mini", 0.07},
    {"simpleqa", "Correct", "o1-1217", 0.47},
    {"simpleqa", "Correct", "DeepSeek-R1", 0.301},
    {"frames", "Acc.", "Claude-3.5-Sonnet-1022", 0.725},
    {"frames", "Acc.", "GPT-4o-0513", 0.805},
    {"frames", "Acc.", "DeepSeek-V3", 0.733},
    {"frames", "Acc.", "o1-mini", 0.769},
    {"frames", "Acc.", "DeepSeek-R1", 0.825},
    {"alpaca-eval-2", "LC-winrate", "Claude-3.5-Sonnet-1022", 0.52},
    {"alpaca-eval-2", "LC-winrate", "GPT-4o-0513", 0.511},
    {"alpaca-eval-2", "LC-winrate", "DeepSeek-V3", 0.7},
    {"alpaca-eval-2", "LC-winrate", "o1-mini", 0.578},
    {"alpaca-eval-2", "LC-winrate", "DeepSeek-R1", 0.876},
    {"arena-hard", "GPT-4-1106", "Claude-3.5-Sonnet-1022", 0.852},
    {"arena-hard", "GPT-4-1106", "GPT-4o-0513", 0.804},
    {"arena-hard", "GPT-4-1106", "DeepSeek-V3", 0.855},
    {"arena-hard", "GPT-4-1106", "o1-mini", 0.92},
    {"arena-hard", "GPT-4-1106", "DeepSeek-R1", 0.923},
    {"livecodebench", "Pass@1-COT", "Claude-3.5-Sonnet-1022", 0.338},
    {"livecodebench", "Pass@1-COT", "GPT-4o-0513", 0.342},
    {"livecodebench", "Pass@1-COT", "o1-mini", 0.538},
    {"livecodebench", "Pass@1-COT", "o1-1217", 0.634},
    {"livecodebench", "Pass@1-COT", "DeepSeek-R1", 0.659},
    {"codeforces", "Rating", "Claude-3.5-Sonnet-1022", 717},
    {"codeforces", "Rating", "GPT-4o-0513", 759},
    {"codeforces", "Rating", "DeepSeek-V3", 1134},
    {"codeforces", "Rating", "o1-mini", 1820},
    {"codeforces", "Rating", "o1-1217", 2061},
    {"codeforces", "Rating", "DeepSeek-R1", 2029},
    {"codeforces", "Percentile", "Claude-3.5-Sonnet-1022", 0.203},
    {"codeforces", "Percentile", "GPT-4o-0513", 0.236},
    {"codeforces", "Percentile", "DeepSeek-V3", 0.587},
    {"codeforces", "Percentile", "o1-mini", 0.934},
    {"codeforces", "Percentile", "o1-1217", 0.966},
    {"codeforces", "Percentile", "DeepSeek-R1", 0.963},
    {"swe-bench-verified", "Resolved", "Claude-3.5-Sonnet-1022", 0.508},
    {"swe-bench-verified", "Resolved", "GPT-4o-0513", 0.388},
    {"swe-bench-verified", "Resolved", "DeepSeek-V3", 0.42},
    {"swe-bench-verified", "Resolved", "o1-mini", 0.416},
    {"swe-bench-verified", "Resolved", "o1-1217", 0.489},
    {"swe-bench-verified", "Resolved", "DeepSeek-R1", 0.492},
    {"aider-polyglot", "Acc.", "Claude-3.5-Sonnet-1022", 0.453},
    {"aider-polyglot", "Acc.", "GPT-4o-0513", 0.16},
    {"aider-polyglot", "Acc.", "DeepSeek-V3", 0.496},
    {"aider-polyglot", "Acc.", "o1-mini", 0.329},
    {"aider-polyglot", "Acc.", "o1-1217", 0.617},
    {"aider-polyglot", "Acc.", "DeepSeek-R1", 0.533},
    {"aime-2024", "Pass@1", "Claude-3.5-Sonnet-1022", 0.16},
    {"aime-2024", "Pass@1", "GPT-4o-0513", 0.093},
    {"aime-2024", "Pass@1", "DeepSeek-V3", 0.392},
    {"aime-2024", "Pass@1", "o1-mini", 0.636},
    {"aime-2024", "Pass@1", "o1-1217", 0.792},
    {"aime-2024", "Pass@1", "DeepSeek-R1", 0.798},
    {"math-500", "Pass@1", "Claude-3.5-Sonnet-1022", 0.783},
    {"math-500", "Pass@1", "GPT-4o-0513", 0.746},
    {"math-500", "Pass@1", "DeepSeek-V3", 0.902},
    {"math-500", "Pass@1", "o1-mini", 0.9},
    {"math-500", "Pass@1", "o1-1217", 0.964},
    {"math-500", "Pass@1", "DeepSeek-R1", 0.973},
    {"cnmo-2024", "Pass@1", "Claude-3.5-Sonnet-1022", 0.131},
    {"cnmo-2024", "Pass@1", "GPT-4o-0513", 0.108},
    {"cnmo-2024", "Pass@1", "DeepSeek-V3", 0.432},
    {"cnmo-2024", "Pass@1", "o1-mini", 0.676},
    {"cnmo-2024", "Pass@1", "DeepSeek-R1", 0.788},
    {"cluewsc", "EM", "Claude-3.5-Sonnet-1022", 0.854},
    {"cluewsc", "EM", "GPT-4o-0513", 0.879},
    {"cluewsc", "EM", "DeepSeek-V3", 0.909},
    {"cluewsc", "EM", "o1-mini", 0.899},
    {"cluewsc", "EM", "DeepSeek-R1", 0.928},
    {"c-eval", "EM", "Claude-3.5-Sonnet-1022", 0.767},
    {"c-eval", "EM", "GPT-4o-0513", 0.76},
    {"c-eval", "EM", "DeepSeek-V3", 0.865},
    {"c-eval", "EM", "o1-mini", 0.689},
    {"c-eval", "EM", "DeepSeek-R1", 0.918},
    {"c-simpleqa", "Correct", "Claude-3.5-Sonnet-1022", 0.554},
    {"c-simpleqa", "Correct", "GPT-4o-0513", 0.587},
    {"c-simpleqa", "Correct", "DeepSeek-V3", 0.68},
    {"c-simpleqa", "Correct", "o1-mini", 0.403},
    {"c-simpleqa", "Correct", "DeepSeek-R1", 0.637},
    {"aime-2024", "pass@1", "QwQ-32B-Preview", 0.44},
    {"aime-2024", "cons@64", "QwQ-32B-Preview", 0.6},
    {"math-500", "pass@1", "QwQ-32B-Preview", 0.906},
    {"gpqa-diamond", "pass@1", "QwQ-32B-Preview", 0.545},
    {"livecodebench", "pass@1", "QwQ-32B-Preview", 0.419},
    {"codeforces", "rating", "QwQ-32B-Preview", 1316},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.289},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Qwen-1.5B", 0.527},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.839},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.338},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.169},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Qwen-1.5B", 954},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.555},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Qwen-7B", 0.833},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.928},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.491},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.376},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Qwen-7B", 1189},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.697},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Qwen-14B", 0.8},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.939},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.591},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.531},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Qwen-14B", 1481},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.726},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Qwen-32B", 0.833},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.943},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.621},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.572},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Qwen-32B", 1691},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.504},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Llama-8B", 0.8},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.891},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.49},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.396},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Llama-8B", 1205},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.7},
    {"aime-2024", "cons@64", "DeepSeek-R1-Distill-Llama-70B", 0.867},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.945},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.652},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.575},
    {"codeforces", "rating", "DeepSeek-R1-Distill-Llama-70B", 1633},
    {"aime-2024", "cons@64", "GPT-4o-0513", 0.134},
    {"aime-2024", "cons@64", "Claude-3.5-Sonnet-1022", 0.267},
    {"aime-2024", "cons@64", "o1-mini", 0.8},
    // clang-format on
});

constexpr auto kOpenR1 = std::to_array<PublishedScore>({
    // clang-format off
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.307},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.831},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.358},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-1.5B", 0.161},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.508},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.945},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.505},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-7B", 0.374},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.659},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.941},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.615},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-14B", 0.513},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.697},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.956},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.631},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Qwen-32B", 0.56},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.439},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.886},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.467},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Llama-8B", 0.374},
    {"aime-2024", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.63},
    {"math-500", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.951},
    {"gpqa-diamond", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.674},
    {"livecodebench", "pass@1", "DeepSeek-R1-Distill-Llama-70B", 0.559},
    // clang-format on
});

/// Letters and digits only, in lower case.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
  }
  return out;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::span<const PublishedScore> release_scores() {
  return kRelease;
}

std::span<const PublishedScore> open_r1_scores() {
  return kOpenR1;
}

std::string_view published_model(std::string_view name) {
  // "DeepSeek-R1" and "DeepSeek-V3" are the names of later versions too.
  constexpr std::array<std::string_view, 5> kOthers = {"0528", "0324", "v31", "v32", "zero"};
  const std::string wanted = plain(name.substr(name.find_last_of('/') + 1));
  for (const std::string_view other : kOthers)
    if (contains(wanted, other)) return {};
  if (contains(wanted, "base") || (contains(wanted, "distill") && !contains(wanted, "r1"))) return {};
  std::string_view found;
  std::string longest;  // "deepseekr1distillqwen7b" before "deepseekr1"
  for (const PublishedScore& score : kRelease) {
    std::string model = plain(score.model);
    if (model.size() > longest.size() && contains(wanted, model)) {
      found = score.model;
      longest = std::move(model);
    }
  }
  if (found == "DeepSeek-R1" &&
      (contains(wanted, "distill") || contains(wanted, "qwen") || contains(wanted, "llama")))
    return {};
  return found;
}

std::optional<double> published_score(std::span<const PublishedScore> table, std::string_view benchmark,
                                      std::string_view model) {
  for (const PublishedScore& score : table)
    if (score.benchmark == benchmark && score.model == model) return score.value;
  return std::nullopt;
}

std::string published_value(double value) {
  return value > 1 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}%", 100 * value);
}

}  // namespace r1::eval
