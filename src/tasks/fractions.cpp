// Fractions: lowest terms, sums, differences, products and quotients.
#include <fmt/format.h>

#include <numeric>

#include "tasks/notation.h"
#include "tasks/problem.h"
#include "tasks/wording.h"

namespace r1::tasks {
namespace {

struct Fraction {
  int64_t top, bottom;
  std::string text() const { return fmt::format("{}/{}", top, bottom); }
};

/// Divides by one small prime after another: "12/18=6/9", "6/9=2/3". The result as text; whole numbers without "/1".
std::string work_lowest(Working& working, Fraction f) {
  for (int64_t prime = 2; prime <= std::min(f.top, f.bottom);) {
    if (f.top % prime != 0 || f.bottom % prime != 0) {
      ++prime;
      continue;
    }
    const Fraction lower{f.top / prime, f.bottom / prime};
    working.line(fmt::format("{}÷{}={} {}÷{}={} {}={}", f.top, prime, lower.top, f.bottom, prime,
                             lower.bottom, f.text(), lower.text()));
    f = lower;
  }
  if (f.bottom != 1) return f.text();
  working.line(fmt::format("{}={}", f.text(), f.top));
  return std::to_string(f.top);
}

Fraction draw_proper(Draw& draw, int64_t bottom_most) {
  for (;;) {
    const int64_t bottom = draw.between(2, bottom_most), top = draw.between(1, bottom - 1);
    if (std::gcd(top, bottom) == 1) return {top, bottom};
  }
}

/// "1/2", "二分之一".
std::string written(Task& task, const Fraction& f, bool in_words) {
  if (!in_words || !task.is_chinese()) return f.text();
  return fmt::format("{}分之{}", f.bottom, f.top);
}

std::string fraction_question(Task& task, char operation, const Fraction& a, const Fraction& b) {
  Draw& draw = task.draw;
  const bool by_sign = draw.chance(0.55);
  Notation notation = by_sign ? draw_signs(task) : draw_words(task);
  // "1/2/3" would have three readings.
  const std::string divided = by_sign                        ? (draw.chance(0.5) ? " ÷ " : "÷")
                              : notation.divided == " over " ? " divided by "
                                                             : notation.divided;
  const std::string& sign = operation == '+'   ? notation.plus
                            : operation == '-' ? notation.minus
                            : operation == '*' ? notation.times
                                               : divided;
  const bool in_words = !by_sign && draw.chance(0.4);
  const std::string phrase = written(task, a, in_words) + sign + written(task, b, in_words);
  return ask(task, phrase, by_sign ? Phrase::signs : Phrase::spoken);
}

Problem simplify(Task& task) {
  Draw& draw = task.draw;
  const Fraction lowest = draw_proper(draw, task.level == 1 ? 6 : 12);
  static constexpr int64_t factors[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 12};
  const int64_t factor = draw.pick(factors);
  const Fraction f{lowest.top * factor, lowest.bottom * factor};
  static constexpr const char* english[] = {"simplify {f}",
                                            "reduce {f} to lowest terms",
                                            "reduce {f}",
                                            "write {f} in lowest terms",
                                            "simplify the fraction {f}",
                                            "cancel {f}"};
  static constexpr const char* chinese[] = {"约分{f}", "把{f}约分", "化简{f}", "把{f}化成最简分数",
                                            "将分数{f}约分"};
  Problem problem{"fraction", task.level,   fmt::format("simplify({})", f.text()), {}, {}, {},
                  {},         task.language};
  problem.question =
      ask(task, fill(task.is_chinese() ? draw.pick(chinese) : draw.pick(english), {{"f", f.text()}}),
          Phrase::request);
  Working working(task.detail);
  working.line(f.text());
  problem.answer = boxed(task.language, work_lowest(working, f));
  problem.think = working.text();
  return problem;
}

/// Over the least common denominator.
std::string work_sum(Working& working, char operation, const Fraction& a, const Fraction& b) {
  const int64_t common = std::lcm(a.bottom, b.bottom);
  const Fraction x{a.top * (common / a.bottom), common}, y{b.top * (common / b.bottom), common};
  if (a.bottom != b.bottom) {
    for (const Fraction* f : {&a, &b}) {
      const int64_t factor = common / f->bottom;
      if (factor > 1) {
        working.line(fmt::format("{}×{}={} {}×{}={} {}={}/{}", f->bottom, factor, common, f->top, factor,
                                 f->top * factor, f->text(), f->top * factor, common));
      }
    }
    working.line(fmt::format("{}{}{}", x.text(), operation, y.text()));
  }
  const int64_t top = operation == '+' ? working.add(x.top, y.top) : working.subtract(x.top, y.top);
  const Fraction sum{top, common};
  working.line(sum.text());
  return work_lowest(working, sum);
}

std::string work_product(Working& working, char operation, const Fraction& a, Fraction b) {
  if (operation == '/') {
    std::swap(b.top, b.bottom);
    working.line(fmt::format("{}×{}", a.text(), b.text()));
  }
  const int64_t top = working.multiply(a.top, b.top), bottom = working.multiply(a.bottom, b.bottom);
  const Fraction product{top, bottom};
  working.line(product.text());
  return work_lowest(working, product);
}

}  // namespace

Problem make_fraction(Task& task) {
  Draw& draw = task.draw;
  if (task.level <= 2 && draw.chance(0.4)) return simplify(task);
  char operation = '+';
  Fraction a{1, 2}, b{1, 2};
  for (;;) {
    static constexpr int64_t bottoms[] = {9, 6, 9, 12};
    a = draw_proper(draw, bottoms[task.level - 1]);
    b = draw_proper(draw, bottoms[task.level - 1]);
    static constexpr char sums[] = {'+', '+', '-'}, all[] = {'+', '-', '*', '/'};
    operation = task.level <= 2 ? draw.pick(sums) : draw.pick(all);
    if (task.level == 1) {
      b.bottom = a.bottom;
      b.top = draw.between(1, a.bottom - 1);
    }
    if (operation == '-' && a.top * b.bottom <= b.top * a.bottom) continue;
    break;
  }
  const std::string sign = operation == '*' ? "×" : operation == '/' ? "÷" : std::string(1, operation);
  Problem problem{"fraction", task.level, {}, {}, {}, {}, {}, task.language};
  const std::string right = operation == '/' ? fmt::format("({})", b.text()) : b.text();
  problem.canonical = canonical_form(*parse_expression(fmt::format("{}{}{}", a.text(), operation, right)));
  problem.question = fraction_question(task, operation, a, b);
  Working working(task.detail);
  working.line(fmt::format("{}{}{}", a.text(), sign, b.text()));
  problem.answer =
      boxed(task.language, operation == '+' || operation == '-' ? work_sum(working, operation, a, b)
                                                                : work_product(working, operation, a, b));
  problem.think = working.text();
  return problem;
}

}  // namespace r1::tasks
