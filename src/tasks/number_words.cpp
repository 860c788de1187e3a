#include "tasks/number_words.h"

#include <fmt/format.h>

#include <stdexcept>

namespace r1::tasks {
namespace {

constexpr const char* kOnes[] = {"zero",    "one",     "two",       "three",    "four",
                                 "five",    "six",     "seven",     "eight",    "nine",
                                 "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                 "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr const char* kTens[] = {"",      "",      "twenty",  "thirty", "forty",
                                 "fifty", "sixty", "seventy", "eighty", "ninety"};
constexpr const char* kChineseDigits[] = {"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"};

void check_range(int64_t value) {
  if (value < 0 || value > 9999) throw std::logic_error(fmt::format("no words for the number {}", value));
}

}  // namespace

std::string english_number(int64_t value, std::string_view hyphen, bool has_and) {
  check_range(value);
  if (value < 20) return kOnes[value];
  if (value < 100) {
    std::string text = kTens[value / 10];
    if (value % 10 != 0) fmt::format_to(std::back_inserter(text), "{}{}", hyphen, kOnes[value % 10]);
    return text;
  }
  const int64_t unit = value < 1000 ? 100 : 1000, rest = value % unit;
  std::string text = fmt::format("{} {}", kOnes[value / unit], unit == 100 ? "hundred" : "thousand");
  if (rest == 0) return text;
  text += has_and && rest < 100 ? " and " : " ";
  return text + english_number(rest, hyphen, has_and);
}

std::string chinese_number(int64_t value) {
  check_range(value);
  if (value < 10) return kChineseDigits[value];
  if (value < 20) return value == 10 ? "十" : std::string("十") + kChineseDigits[value - 10];
  std::string text;
  bool gap = false;  // zeros between digits are read as one 零
  static constexpr struct {
    int64_t unit;
    const char* name;
  } places[] = {{1000, "千"}, {100, "百"}, {10, "十"}, {1, ""}};
  for (const auto& place : places) {
    const int64_t digit = value / place.unit % 10;
    if (digit == 0) {
      gap = !text.empty();
      continue;
    }
    if (gap) text += kChineseDigits[0];
    gap = false;
    text += digit == 2 && place.unit == 1000 ? "两" : kChineseDigits[digit];
    text += place.name;
  }
  return text;
}

std::string full_width(std::string_view text) {
  std::string wide;
  for (const char c : text) {
    if (c < '!' || c > '~') {
      wide += c;
      continue;
    }
    const auto point = 0xff01U + static_cast<unsigned>(c - '!');
    wide += static_cast<char>(0xe0U | point >> 12U);
    wide += static_cast<char>(0x80U | (point >> 6U & 0x3fU));
    wide += static_cast<char>(0x80U | (point & 0x3fU));
  }
  return wide;
}

}  // namespace r1::tasks
