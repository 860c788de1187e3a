// Which of some numbers is the largest or smallest: whole numbers, and numbers with decimals (9.11 and 9.9).
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

constexpr const char* kLargerEnglish[] = {
    "Which is larger, {a} or {b}?",       "Which number is bigger: {a} or {b}?",
    "{a} or {b}, which is greater?",      "Compare {a} and {b}. Which is larger?",
    "What is the larger of {a} and {b}?", "which is bigger, {a} or {b}?"};
constexpr const char* kSmallerEnglish[] = {
    "Which is smaller, {a} or {b}?", "Which number is less: {a} or {b}?", "{a} or {b}, which is smaller?",
    "Compare {a} and {b}. Which is smaller?", "What is the smaller of {a} and {b}?"};
constexpr const char* kLargerChinese[] = {"{a}和{b}哪个大？", "{a}和{b}哪个更大？", "比较{a}和{b}，哪个大？",
                                          "{a}与{b}相比，较大的是哪个？", "{a}、{b}中较大的数是多少？"};
constexpr const char* kSmallerChinese[] = {"{a}和{b}哪个小？", "{a}和{b}哪个更小？", "比较{a}和{b}，哪个小？",
                                           "{a}与{b}相比，较小的是哪个？", "{a}、{b}中较小的数是多少？"};
constexpr const char* kLargestEnglish[] = {
    "Which is the largest of {list}?", "What is the largest number: {list}?", "Find the biggest of {list}."};
constexpr const char* kSmallestEnglish[] = {"Which is the smallest of {list}?",
                                            "What is the smallest number: {list}?",
                                            "Find the smallest of {list}."};
constexpr const char* kLargestChinese[] = {"{list}中最大的数是哪个？", "{list}，哪个最大？",
                                           "找出{list}中最大的数。"};
constexpr const char* kSmallestChinese[] = {"{list}中最小的数是哪个？", "{list}，哪个最小？",
                                            "找出{list}中最小的数。"};

/// A number of hundredths (or tenths) as it is written, and the same filled up with zeros.
struct Decimal {
  std::string whole, fraction;
  std::string text() const { return fraction.empty() ? whole : whole + "." + fraction; }
};

/// Below, equal, above 0 as a < b, a = b, a > b, with the steps of the comparison. Compares as a person
/// would: lengths of the whole part, then digit by digit.
int compare(const Decimal& a, const Decimal& b, Task& task, std::string& steps) {
  const auto step = [&](const std::string& text) { steps += (steps.empty() ? "" : " ") + text; };
  int order = 0;
  if (a.whole.size() != b.whole.size()) {
    order = a.whole.size() < b.whole.size() ? -1 : 1;
    step(fmt::format("{}{}{}{}", task.is_chinese() ? "位数" : "digits ", a.whole.size(),
                     order < 0 ? '<' : '>', b.whole.size()));
  } else {
    std::string x = a.whole + a.fraction, y = b.whole + b.fraction;
    const size_t places = std::max(a.fraction.size(), b.fraction.size());
    for (const Decimal* number : {&a, &b}) {
      if (number->fraction.size() == places || a.fraction.size() == b.fraction.size()) continue;
      Decimal longer = *number;
      longer.fraction.resize(places, '0');
      step(fmt::format("{}={}", number->text(), longer.text()));
    }
    x.resize(a.whole.size() + places, '0');
    y.resize(b.whole.size() + places, '0');
    for (size_t i = 0; i < x.size() && order == 0; ++i) {
      order = x[i] < y[i] ? -1 : x[i] > y[i] ? 1 : 0;
      step(fmt::format("{}{}{}", x[i], order < 0 ? '<' : order > 0 ? '>' : '=', y[i]));
    }
  }
  step(fmt::format("{}{}{}", a.text(), order < 0 ? '<' : order > 0 ? '>' : '=', b.text()));
  return order;
}

Decimal draw_whole(Draw& draw, int least_digits, int digits) {
  const int64_t length = draw.between(least_digits, digits);
  std::string text;
  for (int64_t i = 0; i < length; ++i) text += static_cast<char>('0' + draw.between(i == 0 ? 1 : 0, 9));
  return {text, ""};
}

/// A neighbour of `a` that shares some of its first digits.
Decimal draw_similar(Draw& draw, const Decimal& a) {
  Decimal b = a;
  const auto keep = static_cast<size_t>(draw.between(0, static_cast<int64_t>(a.whole.size()) - 1));
  for (size_t i = keep; i < b.whole.size(); ++i) {
    b.whole[i] = static_cast<char>('0' + draw.between(i == 0 ? 1 : 0, 9));
  }
  return b;
}

Decimal draw_decimal(Draw& draw, const std::string& whole) {
  const int64_t places = draw.between(1, 3);
  std::string fraction;
  for (int64_t i = 0; i < places; ++i) {
    fraction += static_cast<char>('0' + draw.between(i + 1 == places ? 1 : 0, 9));
  }
  return {whole, fraction};
}

std::vector<Decimal> draw_numbers(Draw& draw, int level) {
  for (;;) {
    std::vector<Decimal> numbers;
    if (level == 1) {
      numbers.push_back(draw_whole(draw, 1, 2));
      numbers.push_back(draw_whole(draw, 1, 2));
    } else if (level == 4) {
      const std::string whole = std::to_string(draw.between(0, 20));
      numbers.push_back(draw_decimal(draw, whole));
      numbers.push_back(draw_decimal(draw, draw.chance(0.8) ? whole : std::to_string(draw.between(0, 20))));
    } else {
      numbers.push_back(draw_whole(draw, 2, 5));
      for (int i = 1; i < level; ++i) {
        numbers.push_back(draw.chance(0.7) ? draw_similar(draw, numbers.back()) : draw_whole(draw, 2, 5));
      }
    }
    bool distinct = true;
    for (size_t i = 0; i < numbers.size(); ++i) {
      for (size_t j = 0; j < i; ++j) distinct = distinct && numbers[i].text() != numbers[j].text();
    }
    if (distinct) return numbers;
  }
}

}  // namespace

Problem make_comparison(Task& task) {
  const std::vector<Decimal> numbers = draw_numbers(task.draw, task.level);
  const bool largest = task.draw.chance(0.6);
  Working working(task.detail);
  // What is asked is written down first, and what it makes of each step behind it: a small model that only
  // compares has forgotten it by then.
  working.line(task.is_chinese() ? (largest ? "要大的" : "要小的")
                                 : (largest ? "the larger" : "the smaller"));
  Decimal best = numbers[0];
  std::vector<std::string> texts{best.text()};
  for (size_t i = 1; i < numbers.size(); ++i) {
    std::string steps;
    const int order = compare(best, numbers[i], task, steps);
    if (largest == (order < 0)) best = numbers[i];
    working.line(fmt::format("{} {}{}", steps, task.is_chinese() ? "取" : "keep ", best.text()));
    texts.push_back(numbers[i].text());
  }
  std::vector<std::string> sorted = texts;
  std::sort(sorted.begin(), sorted.end());
  Problem problem{
      "comparison", task.level,     fmt::format("{}({})", largest ? "max" : "min", fmt::join(sorted, ",")),
      {},           working.text(), boxed(task.language, best.text()),
      {},           task.language};
  Draw& draw = task.draw;
  std::string pattern;
  if (numbers.size() == 2) {
    pattern = task.is_chinese() ? (largest ? draw.pick(kLargerChinese) : draw.pick(kSmallerChinese))
                                : (largest ? draw.pick(kLargerEnglish) : draw.pick(kSmallerEnglish));
  } else {
    pattern = task.is_chinese() ? (largest ? draw.pick(kLargestChinese) : draw.pick(kSmallestChinese))
                                : (largest ? draw.pick(kLargestEnglish) : draw.pick(kSmallestEnglish));
  }
  problem.question =
      fill(pattern, {{"a", texts[0]},
                     {"b", texts[1]},
                     {"list", fmt::format("{}", fmt::join(texts, task.is_chinese() ? "、" : ", "))}});
  return problem;
}

}  // namespace r1::tasks
