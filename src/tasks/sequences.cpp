// The next number of a sequence: sums, differences, products, growing differences, Fibonacci's rule.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

enum class Rule { constant, product, growing, fibonacci };

constexpr const char* kEnglish[] = {"What is the next number: {s}?",
                                    "What comes next: {s}, ?",
                                    "{s}, ...",
                                    "{s}, ?",
                                    "Continue the sequence {s}.",
                                    "Find the next number in {s}.",
                                    "what comes after {s}",
                                    "Which number follows {s}?",
                                    "Next number in the sequence: {s}",
                                    "complete the pattern: {s}, ___",
                                    "What number comes next in the sequence {s}?"};
constexpr const char* kChinese[] = {"找规律：{s}，（  ）",       "{s}，下一个数是多少？",
                                    "数列{s}的下一个数是几？",   "找规律填数：{s}、？",
                                    "按规律，{s}后面是什么数？", "{s}，接下来是几"};

std::vector<int64_t> draw_terms(Draw& draw, int level, Rule& rule) {
  static constexpr Rule easy[] = {Rule::constant}, middle[] = {Rule::constant, Rule::constant, Rule::product},
                        hard[] = {Rule::constant, Rule::growing, Rule::product},
                        hardest[] = {Rule::growing, Rule::fibonacci, Rule::growing};
  rule = level == 1   ? draw.pick(easy)
         : level == 2 ? draw.pick(middle)
         : level == 3 ? draw.pick(hard)
                      : draw.pick(hardest);
  std::vector<int64_t> terms;
  switch (rule) {
    case Rule::constant: {
      int64_t step = draw.between(1, level == 1 ? 12 : 40), first = draw.between(0, level == 1 ? 40 : 99);
      const int64_t count = draw.between(3, 5);
      if (draw.chance(level == 1 ? 0.25 : 0.4)) {  // falls, and stays at 0 or above
        first += step * (count + 1);
        step = -step;
      }
      for (int64_t i = 0; i < count; ++i) terms.push_back(first + i * step);
      return terms;
    }
    case Rule::product: {
      const int64_t factor = draw.between(2, level == 2 ? 3 : 5), count = 4;
      int64_t term = draw.between(1, 9);
      for (int64_t i = 0; i < count; ++i, term *= factor) terms.push_back(term);
      return terms;
    }
    case Rule::growing: {
      int64_t step = draw.between(1, 9), term = draw.between(0, 30);
      const int64_t growth = draw.between(1, level == 3 ? 2 : 5);
      for (int64_t i = 0; i < 5; ++i, term += step, step += growth) terms.push_back(term);
      return terms;
    }
    default: {
      int64_t a = draw.between(1, 9), b = draw.between(a, 12);
      for (int64_t i = 0; i < 6; ++i) {
        terms.push_back(a);
        const int64_t next = a + b;
        a = b;
        b = next;
      }
      return terms;
    }
  }
}

/// The differences between neighbours, each worked out.
std::vector<int64_t> work_differences(Working& working, const std::vector<int64_t>& terms) {
  std::vector<int64_t> differences;
  for (size_t i = 1; i < terms.size(); ++i) {
    const int64_t high = std::max(terms[i], terms[i - 1]), low = std::min(terms[i], terms[i - 1]);
    differences.push_back(working.subtract(high, low));
  }
  return differences;
}

int64_t work_next(Working& working, bool zh, Rule rule, const std::vector<int64_t>& terms) {
  const int64_t last = terms.back();
  if (rule == Rule::product) {
    const int64_t factor = terms[1] / terms[0];
    working.line(fmt::format("{}{}", zh ? "每次×" : "each ×", factor));
    for (size_t i = 0; i + 1 < terms.size(); ++i) working.multiply(terms[i], factor);
    return working.multiply(last, factor);
  }
  if (rule == Rule::fibonacci) {
    working.line(zh ? "前两个数相加" : "each is the sum of the two before");
    for (size_t i = 0; i + 2 < terms.size(); ++i) working.add(terms[i], terms[i + 1]);
    return working.add(terms[terms.size() - 2], last);
  }
  const bool falls = terms[1] < terms[0];
  const std::vector<int64_t> differences = work_differences(working, terms);
  if (rule == Rule::constant) {
    working.line(fmt::format("{}{}{}", zh ? "每次" : "each ", falls ? '-' : '+', differences[0]));
    return falls ? working.subtract(last, differences[0]) : working.add(last, differences[0]);
  }
  const int64_t growth = differences[1] - differences[0];
  working.line(fmt::format("{}{} {}+{}", zh ? "差" : "differences ", fmt::join(differences, " "),
                           zh ? "每次" : "each ", growth));
  return working.add(last, working.add(differences.back(), growth));
}

}  // namespace

Problem make_sequence(Task& task) {
  Draw& draw = task.draw;
  Rule rule = Rule::constant;
  const std::vector<int64_t> terms = draw_terms(draw, task.level, rule);
  Problem problem{"sequence", task.level,   fmt::format("next({})", fmt::join(terms, ",")), {}, {}, {},
                  {},         task.language};
  const bool zh = task.is_chinese();
  static constexpr const char* separators[] = {", ", ", ", ", ", ",", " "};
  static constexpr const char* chinese_separators[] = {"，", "、", "、", ", ", " "};
  const std::string list =
      fmt::format("{}", fmt::join(terms, zh ? draw.pick(chinese_separators) : draw.pick(separators)));
  problem.question = fill(zh ? draw.pick(kChinese) : draw.pick(kEnglish), {{"s", list}});
  Working working(task.detail);
  working.line(fmt::format("{}", fmt::join(terms, " ")));
  problem.answer = boxed(task.language, std::to_string(work_next(working, zh, rule, terms)));
  problem.think = working.text();
  return problem;
}

}  // namespace r1::tasks
