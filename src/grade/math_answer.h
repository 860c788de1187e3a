// The final answer in a model's output, and whether it is right.
#pragma once

#include <string>
#include <string_view>

namespace r1::grade {

struct MathVerdict {
  bool correct = false;
  std::string extracted;  // the answer that was found; empty: none
  /// Why: "equal", "different", "unknown" (one of the two cannot be read, or the budget did not suffice), "not
  /// extracted", "truncated in thinking".
  std::string reason;
};

/// What counts as the answer, in this order: the last \boxed{…} (an unclosed one up to the end of its line), what
/// follows the last "answer is", "Answer:", "答案" or "####", a text of one short line as a whole, the last formula,
/// the last number. Only what follows the last </think> is read; with an unclosed <think> there is no answer.
/// `reference` may stand in dollar signs or a box. Any texts; any thread; ends within some milliseconds.
MathVerdict grade_math(std::string_view reference, std::string_view output);

}  // namespace r1::grade
