// Countdown: an expression of some numbers, each used once, that comes to a target.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

constexpr const char* kEnglish[] = {
    "Use {s}, each once, to make {t}.",
    "Using the numbers {s}, each exactly once, and + - × ÷, make {t}.",
    "Make {t} from {s}. Use every number once.",
    "Countdown: numbers {s}, target {t}.",
    "How can you get {t} with {s}? Each number is used once.",
    "Find an expression with {s} that equals {t}. Use each number exactly once."};
constexpr const char* kChinese[] = {
    "用{s}凑出{t}，每个数只用一次。", "用{s}和加减乘除算出{t}，每个数用一次。",
    "怎样用{s}得到{t}？每个数恰好用一次。", "数字{s}，目标{t}，每个数用一次，写出算式。"};

constexpr int64_t kMost = 300;  // of values on the way

/// The value before `n` was put in: "t-n" where n was added, and so on. Nothing below 1, and no fractions.
int64_t undo(char operation, int64_t target, int64_t n) {
  switch (operation) {
    case '+':
      return target - n;
    case '-':
      return target + n;
    case '*':
      return target % n == 0 ? target / n : 0;
    default:
      return target * n;
  }
}

std::string undo_text(char operation, int64_t target, int64_t n) {
  static constexpr std::string_view forward = "+-*/";
  static constexpr const char* backward[] = {"-", "+", "÷", "×"};
  return fmt::format("{}{}{}={}", target, backward[forward.find(operation)], n, undo(operation, target, n));
}

/// One operation on each of two numbers, until it comes to the target. The expression that does, or null.
ExpressionPointer try_pair(std::string& steps, int64_t a, int64_t b, int64_t target) {
  const int64_t high = std::max(a, b), low = std::min(a, b);
  static constexpr char operations[] = {'+', '-', '*', '/'};
  for (const char operation : operations) {
    if (operation == '/' && high % low != 0) continue;
    ExpressionPointer pair = make_operation(operation, make_number(high), make_number(low));
    const int64_t value = evaluate(*pair);
    fmt::format_to(std::back_inserter(steps), "{}{}={}", steps.empty() ? "" : " ", to_text(*pair), value);
    if (value == target) return pair;
  }
  return nullptr;
}

/// How the numbers are put together: the first two by `operations[0]`, each further one by its own.
struct Solution {
  std::vector<int64_t> numbers;
  std::vector<char> operations;
  int64_t target = 0;
};

Solution draw_solution(Draw& draw, int level) {
  static constexpr int64_t most[] = {20, 12, 30, 20};
  const int64_t count = level == 1 ? 2 : level == 4 ? 4 : 3;
  for (;;) {
    Solution solution;
    bool is_good = true;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t n = draw.between(1, most[level - 1]);
      is_good = is_good && std::count(solution.numbers.begin(), solution.numbers.end(), n) == 0;
      solution.numbers.push_back(n);
      if (i == 0) {
        solution.target = n;
        continue;
      }
      static constexpr char operations[] = {'+', '+', '+', '-', '-', '*', '*', '/'};
      const char operation = draw.pick(operations);
      int64_t& value = solution.target;
      is_good = is_good && (operation != '/' || value % n == 0) &&
                ((operation != '*' && operation != '/') || n > 1);
      value = operation == '+'   ? value + n
              : operation == '-' ? value - n
              : operation == '*' ? value * n
                                 : value / n;
      is_good = is_good && value >= 1 && value <= kMost;
      if (!is_good) break;
      solution.operations.push_back(operation);
    }
    if (is_good) return solution;
  }
}

/// Numbers that are taken off from the back: the way the solution was built, with a wrong try before the last step at times.
ExpressionPointer work_countdown(Working& working, Draw& draw, const Solution& solution, const char* from) {
  std::vector<int64_t> left = solution.numbers;
  int64_t target = solution.target;
  std::vector<std::pair<char, int64_t>> taken;
  while (left.size() > 2) {
    const int64_t n = left.back();
    const char operation = solution.operations[left.size() - 2];
    if (left.size() == 3) {
      // Tries that lead nowhere, as a search has them.
      for (int64_t tries = draw.between(0, 2); tries > 0; --tries) {
        const size_t at = static_cast<size_t>(draw.between(0, 2));
        static constexpr char operations[] = {'+', '-', '*'};
        const char other = draw.pick(operations);
        const int64_t rest = undo(other, target, left[at]);
        if (rest < 1 || (left[at] == 1 && other == '*')) continue;
        const int64_t a = left[(at + 1) % 3], b = left[(at + 2) % 3];
        std::string steps;
        if (try_pair(steps, a, b, rest) != nullptr) continue;
        working.line(fmt::format("{} {} {} {}: {}", undo_text(other, target, left[at]), from, std::min(a, b),
                                 std::max(a, b), steps));
      }
    }
    const std::string line = undo_text(operation, target, n);
    taken.emplace_back(operation, n);
    target = undo(operation, target, n);
    left.pop_back();
    std::vector<int64_t> sorted = left;
    std::sort(sorted.begin(), sorted.end());
    std::string steps;
    if (left.size() == 2) try_pair(steps, left[0], left[1], target);
    working.line(
        fmt::format("{} {} {}{}{}", line, from, fmt::join(sorted, " "), steps.empty() ? "" : ": ", steps));
  }
  std::string steps;
  ExpressionPointer result = try_pair(steps, left[0], left[1], target);
  if (solution.numbers.size() == 2) working.line(steps);
  for (auto at = taken.rbegin(); at != taken.rend(); ++at)
    result = make_operation(at->first, result, make_number(at->second));
  return result;
}

}  // namespace

Problem make_countdown(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const Solution solution = draw_solution(draw, task.level);
  std::vector<int64_t> sorted = solution.numbers;
  std::sort(sorted.begin(), sorted.end());
  Problem problem{
      "countdown", task.level,   fmt::format("countdown({};{})", fmt::join(sorted, ","), solution.target),
      {},          {},           {},
      {},          task.language};
  std::vector<int64_t> shown = solution.numbers;
  for (size_t i = shown.size() - 1; i > 0; --i)
    std::swap(shown[i], shown[static_cast<size_t>(draw.between(0, static_cast<int64_t>(i)))]);
  problem.question = fill(
      zh ? draw.pick(kChinese) : draw.pick(kEnglish),
      {{"s", fmt::format("{}", fmt::join(shown, zh ? "、" : ", "))}, {"t", std::to_string(solution.target)}});
  Working working(task.detail);
  working.line(fmt::format("{} {} {}", solution.target, zh ? "用" : "from", fmt::join(sorted, " ")));
  const ExpressionPointer result = work_countdown(working, draw, solution, zh ? "用" : "from");
  const std::string text = to_text(*result);
  working.line(fmt::format("{}={}", text, solution.target));
  problem.think = working.text();
  problem.answer = boxed(task.language, text);
  return problem;
}

}  // namespace r1::tasks
