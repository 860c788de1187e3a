#include "tasks/problem.h"

#include <fmt/format.h>

#include <stdexcept>

namespace r1::tasks {

std::string fill(std::string_view pattern, const Values& values) {
  std::string text;
  while (!pattern.empty()) {
    const size_t open = pattern.find('{');
    text += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = pattern.find('}', open);
    const std::string_view name = pattern.substr(open + 1, close - open - 1);
    bool found = false;
    for (const auto& [key, value] : values) {
      if (key != name) continue;
      text += value;
      found = true;
      break;
    }
    if (!found) throw std::logic_error("no value for {" + std::string(name) + "}");
    pattern.remove_prefix(close + 1);
  }
  return text;
}

std::string boxed(Language language, std::string_view answer) {
  return language == Language::chinese ? fmt::format("答案是\\boxed{{{}}}。", answer)
                                       : fmt::format("The answer is \\boxed{{{}}}.", answer);
}

Problem expression_problem(Task& task, std::string_view kind, std::string question,
                           const ExpressionPointer& expression, std::string_view opening) {
  Problem problem;
  problem.kind = kind;
  problem.level = task.level;
  problem.language = task.language;
  problem.canonical = canonical_form(*expression);
  problem.question = std::move(question);
  Working working(task.detail);
  working.line(opening);
  problem.answer = boxed(task.language, std::to_string(working.solve(expression)));
  problem.think = working.text();
  return problem;
}

}  // namespace r1::tasks
