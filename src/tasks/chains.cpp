// Sums and differences of two-digit numbers in a row, asked without words: the exercise of the small base for reinforcement
// learning (docs/pipeline.md), where full working pays and is rarely used.
#include <string>

#include "tasks/problem.h"

namespace r1::tasks {

namespace {

constexpr int64_t kMostTotal = 199;  // of each step

}  // namespace

// The trace has the totals alone, each from the one before: less to copy than whole expressions.
Problem make_chain(Task& task) {
  int64_t total = task.draw.between(10, 99);
  ExpressionPointer chain = make_number(total);
  Working working(task.detail);
  for (int terms = 1; terms < task.level + 1; ++terms) {
    const int64_t next = task.draw.between(10, 99);
    const bool must_add = total - next<0, must_subtract = total + next> kMostTotal;
    const bool adds = must_add || (!must_subtract && task.draw.chance(0.5));
    total = adds ? working.add(total, next) : working.subtract(total, next);
    chain = make_operation(adds ? '+' : '-', std::move(chain), make_number(next));
  }
  Problem problem{"chain", task.level, canonical_form(*chain), {}, {}, {}, {}, task.language};
  problem.question = to_text(*chain) + (task.is_chinese() ? "＝？" : "");
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(total));
  return problem;
}

}  // namespace r1::tasks
