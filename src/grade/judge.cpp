#include "grade/judge.h"

#include <optional>

#include "grade/boxed_answer.h"
#include "grade/trace_check.h"

namespace r1::grade {

void ScoreTally::add(const ScoreTally& other) {
  total += other.total, right += other.right, finished += other.finished, tokens += other.tokens;
  equations_right += other.equations_right, equations_wrong += other.equations_wrong;
}

ScoreTally judge(const ScoredAnswer& answer) {
  ScoreTally tally;
  tally.total = 1;
  tally.finished = answer.finished ? 1 : 0;
  tally.tokens = answer.tokens;
  const std::optional<std::string> boxed = boxed_answer(answer.answer);
  tally.right = answer.verdict.value_or(boxed && same_answer(*boxed, answer.expected)) ? 1 : 0;
  const TraceCheck check = check_trace(answer.reasoning);
  tally.equations_right = check.right;
  tally.equations_wrong = check.wrong;
  return tally;
}

}  // namespace r1::grade
