#include "tasks/notation.h"

#include <fmt/format.h>

#include "tasks/number_words.h"

namespace r1::tasks {
namespace {

/// Spaces around a sign: none, both sides, or one side alone.
std::string spaced(std::string_view sign, int64_t form) {
  switch (form) {
    case 0:
      return std::string(sign);
    case 1:
      return fmt::format(" {} ", sign);
    case 2:
      return fmt::format(" {}", sign);
    case 3:
      return fmt::format("{} ", sign);
    default:
      return fmt::format("  {}  ", sign);
  }
}

int64_t draw_spacing(Draw& draw) {
  const int64_t at = draw.between(0, 99);
  return at < 43 ? 0 : at < 80 ? 1 : at < 90 ? 2 : at < 98 ? 3 : 4;
}

std::string grouped(int64_t value) {
  return value < 1000 ? std::to_string(value) : fmt::format("{},{:03}", value / 1000, value % 1000);
}

std::string digits(int64_t value) {
  return std::to_string(value);
}

}  // namespace

NumberWriter draw_digits(Task& task) {
  const int64_t at = task.draw.between(0, 99);
  if (task.is_chinese() && at < 10) return [](int64_t value) { return full_width(digits(value)); };
  if (!task.is_chinese() && at < 2) return [](int64_t value) { return full_width(digits(value)); };
  if (!task.is_chinese() && at < 10) return grouped;
  return digits;
}

NumberWriter draw_number_words(Task& task) {
  if (task.is_chinese())
    return [](int64_t value) { return value > 9999 ? digits(value) : chinese_number(value); };
  const char* hyphen = task.draw.chance(0.65) ? "-" : " ";
  const bool has_and = task.draw.chance(0.6);
  return [hyphen, has_and](int64_t value) {
    return value > 9999 ? digits(value) : english_number(value, hyphen, has_and);
  };
}

NumberWriter draw_numbers(Task& task) {
  if (!task.draw.chance(0.25)) return draw_digits(task);
  if (task.draw.chance(0.85)) return draw_number_words(task);
  // Some numbers as words and others in digits, by their parity: the writer has no memory.
  return [words = draw_number_words(task), is_odd = task.draw.chance(0.5)](int64_t value) {
    return (value % 2 != 0) == is_odd ? words(value) : digits(value);
  };
}

Notation draw_signs(Task& task) {
  Draw& draw = task.draw;
  Notation notation;
  const bool wide = task.is_chinese() && draw.chance(0.12);
  if (wide) {
    notation = {"＋",
                "－",
                draw.chance(0.6) ? "×" : "＊",
                draw.chance(0.6) ? "÷" : "／",
                "（",
                "）",
                [](int64_t value) { return full_width(digits(value)); }};
    if (draw.chance(0.15)) notation.number = digits;
    if (draw.chance(0.8)) return notation;
  } else {
    static constexpr const char* minus[] = {"-", "-", "-", "-", "-", "-", "-", "−", "−", "–"};
    static constexpr const char* times[] = {"×", "×", "×", "×", "*", "*", "*", "x", "x", "·"};
    static constexpr const char* divided[] = {"÷", "÷", "/"};
    notation.minus = draw.pick(minus);
    notation.times = draw.pick(times);
    notation.divided = draw.pick(divided);
    if (task.is_chinese() && draw.chance(0.3)) notation.open = "（", notation.close = "）";
    notation.number = task.is_chinese() ? draw_digits(task) : draw.chance(0.08) ? grouped : digits;
    // "thirty-four-5" would be hard to read: number words stand between signs with spaces alone, or in Chinese.
    if (draw.chance(0.04)) {
      notation.number = draw_number_words(task);
      if (!task.is_chinese()) {
        for (std::string* sign : {&notation.plus, &notation.minus, &notation.times, &notation.divided})
          *sign = spaced(*sign, 1);
        return notation;
      }
    }
  }
  const bool uneven = draw.chance(0.08);
  int64_t form = draw_spacing(draw);
  for (std::string* sign : {&notation.plus, &notation.minus, &notation.times, &notation.divided}) {
    *sign = spaced(*sign, form);
    if (uneven) form = draw_spacing(draw);
  }
  return notation;
}

Notation draw_words(Task& task) {
  Draw& draw = task.draw;
  Notation notation;
  if (task.is_chinese()) {
    static constexpr const char* plus[] = {"加", "加", "加上", "再加", "再加上"};
    static constexpr const char* minus[] = {"减", "减", "减", "减去", "减去", "减掉", "再减", "扣除"};
    static constexpr const char* times[] = {"乘", "乘", "乘以", "乘以", "乘上"};
    notation.plus = draw.pick(plus);
    notation.minus = draw.pick(minus);
    notation.times = draw.pick(times);
    notation.divided = "除以";
    notation.number = draw.chance(0.45) ? draw_number_words(task) : draw_numbers(task);
    if (draw.chance(0.12)) {
      for (std::string* sign : {&notation.plus, &notation.minus, &notation.times, &notation.divided})
        *sign = spaced(*sign, 1);
    }
    return notation;
  }
  static constexpr const char* minus[] = {" minus ",     " minus ", " minus ",   " minus ",
                                          " take away ", " less ",  " subtract "};
  static constexpr const char* times[] = {" times ",         " times ",         " times ",
                                          " multiplied by ", " multiplied by ", " multiplied with ",
                                          " multiply "};
  static constexpr const char* divided[] = {" divided by ", " divided by ", " divided by ", " over ",
                                            " divide by "};
  notation.plus = draw.chance(0.1) ? " add " : " plus ";
  notation.minus = draw.pick(minus);
  notation.times = draw.pick(times);
  notation.divided = draw.pick(divided);
  notation.number = draw.chance(0.4) ? draw_number_words(task) : draw_numbers(task);
  return notation;
}

}  // namespace r1::tasks
