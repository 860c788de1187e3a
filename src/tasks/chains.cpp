// Sums and differences of two-digit numbers in a row, asked without words: the exercise of the small base for reinforcement
// learning (docs/pipeline.md), where full working pays and is rarely used.
#include "tasks/problem.h"

namespace r1::tasks {

namespace {

constexpr int64_t kMostTotal = 199;  // of each step

}  // namespace

Problem make_chain(Task& task) {
  int64_t total = task.draw.between(10, 99);
  ExpressionPointer chain = make_number(total);
  for (int terms = 1; terms < task.level + 1; ++terms) {
    const int64_t next = task.draw.between(10, 99);
    const bool must_add = total - next<0, must_subtract = total + next> kMostTotal;
    const char operation = must_add ? '+' : must_subtract ? '-' : task.draw.chance(0.5) ? '+' : '-';
    total += operation == '+' ? next : -next;
    chain = make_operation(operation, std::move(chain), make_number(next));
  }
  return expression_problem(task, "chain", to_text(*chain) + (task.is_chinese() ? "＝？" : ""), chain);
}

}  // namespace r1::tasks
