// A model's answer to an exercise, judged by rules: the boxed answer is right or wrong, and the equations of
// the reasoning hold or do not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace r1::grade {

/// An exercise and what a model wrote.
struct ScoredAnswer {
  std::string kind;
  int64_t level = 0;
  std::string language;   // "en", "zh"; empty: not known
  std::string expected;   // the boxed part of the right answer
  std::string reasoning;  // between <think> and </think>; everything, when the thinking never ended
  std::string answer;     // behind </think>
  bool finished = false;  // the model ended its answer with an end token
  int64_t tokens = 0;     // of reasoning and answer
  std::optional<bool>
      verdict{};  // by a check of the kind (tasks/answer_check.h); nothing: the box is compared
};

struct ScoreTally {
  int64_t total = 0, right = 0, finished = 0, tokens = 0;
  int64_t equations_right = 0, equations_wrong = 0;  // of the reasoning

  void add(const ScoreTally& other);
};

/// An answer without a verdict is right when its last \boxed{…} holds `expected` (same_answer). A box inside the reasoning does
/// not count, nor does a number outside a box. Any text; any thread.
ScoreTally judge(const ScoredAnswer& answer);

}  // namespace r1::grade
