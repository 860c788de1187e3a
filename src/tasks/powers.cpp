// Powers, and roots of perfect squares and cubes.
#include <fmt/format.h>

#include "tasks/notation.h"
#include "tasks/problem.h"
#include "tasks/wording.h"

namespace r1::tasks {
namespace {

int64_t power_of(int64_t base, int64_t exponent) {
  int64_t value = 1;
  for (int64_t i = 0; i < exponent; ++i) value *= base;
  return value;
}

std::string superscript(int64_t exponent) {
  static constexpr const char* digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text;
  for (const char c : std::to_string(exponent)) text += digits[c - '0'];
  return text;
}

std::string ordinal(int64_t n) {
  static constexpr const char* ends[] = {"th", "st", "nd", "rd"};
  return fmt::format("{}{}", n, n % 100 >= 11 && n % 100 <= 13 ? "th" : ends[n % 10 <= 3 ? n % 10 : 0]);
}

std::string power_question(Task& task, int64_t a, int64_t n) {
  Draw& draw = task.draw;
  if (draw.chance(0.45)) {
    static constexpr const char* forms[] = {"{a}^{n}",   "{a}^{n}",  "{a}^{n}",
                                            "{a} ^ {n}", "{a}**{n}", "{a}{s}"};
    return ask(
        task,
        fill(draw.pick(forms), {{"a", std::to_string(a)}, {"n", std::to_string(n)}, {"s", superscript(n)}}),
        Phrase::signs);
  }
  static constexpr const char* english[] = {"{a} to the power of {n}", "{a} to the power {n}",
                                            "{a} raised to the power of {n}", "{a} to the {t} power",
                                            "{a} to the {t}"};
  static constexpr const char* squares[] = {"{a} squared", "the square of {a}", "{a} to the power of {n}"};
  static constexpr const char* cubes[] = {"{a} cubed", "the cube of {a}", "{a} to the power of {n}"};
  static constexpr const char* chinese[] = {"{a}的{n}次方", "{a}的{n}次幂", "{a}的{n}次方"};
  static constexpr const char* chinese_squares[] = {"{a}的平方", "{a}的二次方", "{a}的{n}次方"};
  static constexpr const char* chinese_cubes[] = {"{a}的立方", "{a}的三次方", "{a}的{n}次方"};
  const bool zh = task.is_chinese();
  const std::string_view pattern = n == 2   ? (zh ? draw.pick(chinese_squares) : draw.pick(squares))
                                   : n == 3 ? (zh ? draw.pick(chinese_cubes) : draw.pick(cubes))
                                            : (zh ? draw.pick(chinese) : draw.pick(english));
  const NumberWriter write = draw_numbers(task);
  return ask(task, fill(pattern, {{"a", write(a)}, {"n", write(n)}, {"t", ordinal(n)}}),
             pattern.starts_with("the") ? Phrase::noun : Phrase::spoken);
}

/// Small powers one after another, by heart: 2^2=4 2^3=8 …; else products.
int64_t work_power(Working& working, int64_t a, int64_t n) {
  if (a >= 10 || n == 2) {
    std::string product = std::to_string(a);
    for (int64_t i = 1; i < n; ++i) fmt::format_to(std::back_inserter(product), "×{}", a);
    working.line(fmt::format("{}^{}={}", a, n, product));
    int64_t value = a;
    for (int64_t i = 1; i < n; ++i) value = working.multiply(value, a);
    return value;
  }
  working.line(fmt::format("{}^{}", a, n));
  std::string steps;
  for (int64_t i = 2; i <= n; ++i) {
    fmt::format_to(std::back_inserter(steps), "{}{}^{}={}", i == 2 ? "" : " ", a, i, power_of(a, i));
  }
  working.line(steps);
  return power_of(a, n);
}

struct Power {
  int64_t base, exponent;
};

Power draw_power(Draw& draw, int level) {
  switch (level) {
    case 1:
      return draw.chance(0.6) ? Power{draw.between(2, 12), 2} : Power{draw.between(2, 5), 3};
    case 2:
      return draw.chance(0.5) ? Power{draw.between(11, 30), 2} : Power{2, draw.between(3, 12)};
    case 3:
      for (;;) {
        const Power power{draw.between(2, 9), draw.between(3, 13)};
        if (power_of(power.base, power.exponent) < 10000) return power;
      }
    default:
      return draw.chance(0.7) ? Power{draw.between(31, 99), 2} : Power{draw.between(10, 21), 3};
  }
}

/// Perfect squares: by heart up to 20 × 20, else between two tens and by the last digit.
void work_square_root(Working& working, bool zh, int64_t root) {
  const int64_t square = root * root;
  if (root <= 20 || root % 10 == 0) {
    working.line(fmt::format("{}×{}={}", root, root, square));
    return;
  }
  const int64_t tens = root / 10 * 10, ones = root % 10;
  working.line(fmt::format("{}×{}={} {}<{}", tens, tens, tens * tens, tens * tens, square));
  working.line(fmt::format("{}×{}={} {}>{}", tens + 10, tens + 10, (tens + 10) * (tens + 10),
                           (tens + 10) * (tens + 10), square));
  if (ones != 0 && ones != 5) {  // two digits have squares with this last digit
    const int64_t small = std::min(ones, 10 - ones), middle = tens + 5;
    working.line(fmt::format("{}×{}={} {}×{}={}", small, small, small * small, 10 - small, 10 - small,
                             (10 - small) * (10 - small)));
    working.line(fmt::format("{}×{}={} {}{}{} {}{}", middle, middle, middle * middle, middle * middle,
                             middle * middle > square ? '>' : '<', square, zh ? "取" : "keep ", root));
  }
  working.multiply(root, root);
}

/// Cubes up to 10 by heart; those up to 21 between two tens, and by the last digit, which no other digit's cube has.
void work_cube_root(Working& working, int64_t root) {
  const int64_t cube = root * root * root;
  if (root > 10) {
    const int64_t tens = root / 10 * 10, ones = root % 10, above = tens + 10;
    working.line(fmt::format("{}^3={} {}{}{}", tens, tens * tens * tens, tens * tens * tens,
                             tens * tens * tens == cube ? '=' : '<', cube));
    working.line(fmt::format("{}^3={} {}>{}", above, above * above * above, above * above * above, cube));
    working.line(fmt::format("{}^3={}", ones, ones * ones * ones));
  }
  working.line(fmt::format("{}^3={}", root, cube));
}

}  // namespace

Problem make_power(Task& task) {
  const Power power = draw_power(task.draw, task.level);
  Problem problem{"power", task.level,   fmt::format("{}^{}", power.base, power.exponent), {}, {}, {},
                  {},      task.language};
  problem.question = power_question(task, power.base, power.exponent);
  Working working(task.detail);
  problem.answer = boxed(task.language, std::to_string(work_power(working, power.base, power.exponent)));
  problem.think = working.text();
  return problem;
}

Problem make_root(Task& task) {
  Draw& draw = task.draw;
  const bool is_cube = task.level >= 2 && draw.chance(0.3);
  const int64_t root = is_cube           ? draw.between(2, task.level == 4 ? 21 : 10)
                       : task.level == 1 ? draw.between(2, 12)
                       : task.level == 2 ? draw.between(10, 20)
                       : task.level == 3 ? draw.between(21, 60)
                                         : draw.between(21, 99);
  const int64_t n = is_cube ? root * root * root : root * root;
  Problem problem{"root", task.level,   fmt::format("{}({})", is_cube ? "cbrt" : "sqrt", n), {}, {}, {},
                  {},     task.language};
  static constexpr const char* english[] = {"the square root of {n}", "the square root of {n}",
                                            "square root of {n}"};
  static constexpr const char* cube_english[] = {"the cube root of {n}", "the third root of {n}",
                                                 "cube root of {n}"};
  static constexpr const char* chinese[] = {"{n}的算术平方根", "根号{n}", "{n}开平方"};
  static constexpr const char* cube_chinese[] = {"{n}的立方根", "{n}开立方", "{n}的三次方根"};
  static constexpr const char* signs[] = {"√{n}", "√{n}", "√({n})", "sqrt({n})", "sqrt {n}"};
  static constexpr const char* cube_signs[] = {"∛{n}", "cbrt({n})"};
  const bool by_sign = draw.chance(0.35);
  const bool zh = task.is_chinese();
  const std::string_view pattern = by_sign ? (is_cube ? draw.pick(cube_signs) : draw.pick(signs))
                                   : zh    ? (is_cube ? draw.pick(cube_chinese) : draw.pick(chinese))
                                           : (is_cube ? draw.pick(cube_english) : draw.pick(english));
  problem.question = ask(task, fill(pattern, {{"n", by_sign ? std::to_string(n) : draw_numbers(task)(n)}}),
                         by_sign ? Phrase::signs : Phrase::noun);
  Working working(task.detail);
  working.line(fmt::format("{}{}", is_cube ? "∛" : "√", n));
  if (is_cube) {
    work_cube_root(working, root);
  } else {
    work_square_root(working, zh, root);
  }
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(root));
  return problem;
}

}  // namespace r1::tasks
