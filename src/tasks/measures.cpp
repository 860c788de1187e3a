// Percentages, and conversions between units.
#include <fmt/format.h>

#include <stdexcept>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

Problem start(Task& task, std::string_view kind, std::string canonical) {
  return {std::string(kind), task.level, std::move(canonical), {}, {}, {}, {}, task.language};
}

/// p percent of n, where the result is whole: by tenths for multiples of ten, else by hundredths.
int64_t take_percent(Working& working, int64_t p, int64_t n) {
  if (p == 50) return working.divide(n, 2);
  if (p % 10 == 0) return working.multiply(working.divide(n, 10), p / 10);
  return working.multiply(working.divide(n, 100), p);
}

/// "p% of n" as the canonical product over 100.
std::string canonical_percent(int64_t p, int64_t n) {
  return canonical_form(*parse_expression(fmt::format("{}*{}/100", p, n)));
}

Problem percent_of(Task& task, int64_t p, int64_t n) {
  static constexpr const char* english[] = {"What is {p}% of {n}?", "Calculate {p}% of {n}.",
                                            "Find {p} percent of {n}.", "How much is {p}% of {n}?",
                                            "{p}% of {n} = ?"};
  static constexpr const char* chinese[] = {"{n}的{p}%是多少？", "求{n}的{p}%。", "计算{n}的{p}%。",
                                            "{n}的百分之{p}是多少？", "{n}的{p}%等于几？"};
  Problem problem = start(task, "percent", canonical_percent(p, n));
  problem.question = fill(task.is_chinese() ? task.draw.pick(chinese) : task.draw.pick(english),
                          {{"p", std::to_string(p)}, {"n", std::to_string(n)}});
  Working working(task.detail);
  const int64_t result = take_percent(working, p, n);
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(result));
  return problem;
}

/// A price that falls or rises by p percent; `q` > 0: and then by q percent again.
Problem price_change(Task& task, int64_t n, int64_t p, bool rises, int64_t q) {
  static constexpr const char* english_falls[] = {
      "A coat costs {n} yuan. It is sold at {p}% off. What is the new price?",
      "The price of a bag is {n} dollars and falls by {p}%. What does it cost now?",
      "Take {p}% off {n}. What is left?"};
  static constexpr const char* english_rises[] = {
      "A ticket costs {n} yuan. The price rises by {p}%. What is the new price?",
      "Increase {n} by {p}%. What is the result?",
      "A rent of {n} dollars goes up by {p}%. How much is it now?"};
  static constexpr const char* chinese_falls[] = {"一件外套{n}元，降价{p}%，现价是多少元？",
                                                  "一个书包原价{n}元，便宜了{p}%，现在多少元？",
                                                  "{n}减少{p}%是多少？"};
  static constexpr const char* chinese_rises[] = {"一张票{n}元，涨价{p}%，现价是多少元？",
                                                  "{n}增加{p}%是多少？", "房租{n}元，上涨{p}%后是多少元？"};
  const char operation = rises ? '+' : '-';
  const std::string first = fmt::format("({}{}{}*{}/100)", n, operation, p, n);
  const int64_t after = rises ? n + n * p / 100 : n - n * p / 100;
  std::string expression = first;
  if (q > 0) expression = fmt::format("{}-{}*{}/100", first, first, q);
  Problem problem = start(task, "percent", canonical_form(*parse_expression(expression)));
  std::string pattern = task.is_chinese()
                            ? (rises ? task.draw.pick(chinese_rises) : task.draw.pick(chinese_falls))
                            : (rises ? task.draw.pick(english_rises) : task.draw.pick(english_falls));
  Values values = {{"n", std::to_string(n)}, {"p", std::to_string(p)}, {"q", std::to_string(q)}};
  if (q > 0) {
    pattern =
        task.is_chinese()
            ? (rises ? "一件商品{n}元，先涨价{p}%，再降价{q}%，最后是多少元？"
                     : "一件商品{n}元，先降价{p}%，再降价{q}%，最后是多少元？")
            : (rises ? "The price {n} first rises by {p}% and then falls by {q}%. What is it in the end?"
                     : "The price {n} first falls by {p}% and then by another {q}%. What is it in the end?");
  }
  problem.question = fill(pattern, values);
  Working working(task.detail);
  int64_t price = n;
  const int64_t change = take_percent(working, p, n);
  price = rises ? working.add(price, change) : working.subtract(price, change);
  if (q > 0) price = working.subtract(price, take_percent(working, q, after));
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(price));
  return problem;
}

Problem what_percent(Task& task) {
  static constexpr const char* english[] = {"What percent of {b} is {a}?", "{a} is what percent of {b}?",
                                            "{a} out of {b} is how many percent?"};
  static constexpr const char* chinese[] = {"{a}是{b}的百分之几？", "{a}占{b}的百分之多少？",
                                            "{b}的百分之几是{a}？"};
  static constexpr int64_t parts[] = {2, 4, 5, 10, 20, 25, 50};
  Draw& draw = task.draw;
  int64_t a = 0, b = 0;
  const bool divides = draw.chance(0.5);
  if (divides) {
    b = draw.pick(parts);
    a = draw.between(1, b);
  } else {
    b = draw.between(2, 9) * 100;
    a = b / 100 * draw.between(1, 99);
  }
  Problem problem = start(task, "percent", canonical_form(*parse_expression(fmt::format("{}*100/{}", a, b))));
  problem.question = fill(task.is_chinese() ? draw.pick(chinese) : draw.pick(english),
                          {{"a", std::to_string(a)}, {"b", std::to_string(b)}});
  Working working(task.detail);
  int64_t result = 0;
  if (divides) {
    working.line(fmt::format("{}×{}=100", b, 100 / b));
    result = working.multiply(a, 100 / b);
    working.line(task.is_chinese() ? fmt::format("{}/{}是{}%", a, b, result)
                                   : fmt::format("{}/{} is {}%", a, b, result));
  } else {
    working.line(task.is_chinese() ? fmt::format("1%是{}", b / 100) : fmt::format("1% is {}", b / 100));
    result = working.divide(a, b / 100);
  }
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(result));
  return problem;
}

struct Unit {
  int64_t factor;  // how many small ones make a large one
  const char *large, *small, *chinese_large, *chinese_small;
  const char *large_short, *small_short;  // "": no usual abbreviation
};
constexpr Unit kUnits[] = {
    {100, "metres", "centimetres", "米", "厘米", "m", "cm"},
    {1000, "kilometres", "metres", "千米", "米", "km", "m"},
    {10, "centimetres", "millimetres", "厘米", "毫米", "cm", "mm"},
    {1000, "kilograms", "grams", "千克", "克", "kg", "g"},
    {1000, "tonnes", "kilograms", "吨", "千克", "t", "kg"},
    {1000, "litres", "millilitres", "升", "毫升", "L", "mL"},
    {60, "hours", "minutes", "小时", "分钟", "h", "min"},
    {60, "minutes", "seconds", "分钟", "秒", "min", "s"},
    {24, "days", "hours", "天", "小时", "", ""},
    {7, "weeks", "days", "周", "天", "", ""},
    {12, "years", "months", "年", "个月", "", ""},
    {12, "dozens", "pieces", "打", "个", "", ""},
    {100, "yuan", "fen", "元", "分", "", ""},
    {10, "yuan", "jiao", "元", "角", "", ""},
};

}  // namespace

Problem make_percent(Task& task) {
  Draw& draw = task.draw;
  static constexpr int64_t simple[] = {5, 15, 20, 25, 30, 35, 40, 45, 60, 75, 80};
  switch (task.level) {
    case 1: {
      const int64_t p = draw.between(1, 10) * 10;
      return percent_of(task, p, draw.between(1, 30) * 10);
    }
    case 2:
      return draw.chance(0.5)
                 ? percent_of(task, draw.between(1, 99), draw.between(1, 9) * 100)
                 : percent_of(task, draw.pick(simple), draw.between(1, 9) * (draw.chance(0.3) ? 1000 : 100));
    case 3:
      if (draw.chance(0.35)) return what_percent(task);
      return draw.chance(0.5)
                 ? price_change(task, draw.between(2, 60) * 10, draw.between(1, 9) * 10, draw.chance(0.4), 0)
                 : price_change(task, draw.between(1, 9) * 100, draw.between(1, 60), draw.chance(0.4), 0);
    default:
      return price_change(task, draw.between(1, 20) * 100, draw.between(1, 9) * 10, draw.chance(0.5),
                          draw.between(1, 9) * 10);
  }
}

Problem make_unit(Task& task) {
  Draw& draw = task.draw;
  const Unit& unit = draw.pick(kUnits);
  const bool chinese = task.is_chinese();
  const bool abbreviated = !chinese && unit.large_short[0] != '\0' && draw.chance(0.5);
  const std::string large = chinese ? unit.chinese_large : abbreviated ? unit.large_short : unit.large;
  const std::string small = chinese ? unit.chinese_small : abbreviated ? unit.small_short : unit.small;
  const int64_t k = unit.factor;
  const bool round = k == 10 || k == 60 || k == 100 || k == 1000 || k == 7;
  // How the fact itself is said.
  const std::string fact =
      chinese ? fmt::format("1{}是{}{}", large, k, small) : fmt::format("1 {} is {} {}", large, k, small);
  Working working(task.detail);
  working.line(fact);
  Problem problem = start(task, "unit", {});
  const int64_t most = task.level == 1 ? 9 : k >= 100 ? 60 : k == 60 ? 30 : 12;
  const int64_t a = draw.between(2, most);
  const int64_t rest = draw.between(1, k - 1);
  int64_t result = 0;
  Values values = {{"L", large}, {"S", small}, {"a", std::to_string(a)}, {"r", std::to_string(rest)}};
  std::string pattern;
  const bool down = task.level == 1 || (task.level == 2 && (!round || draw.chance(0.5)));
  if (down) {
    static constexpr const char* en[] = {"How many {S} are {a} {L}?", "Convert {a} {L} to {S}.",
                                         "{a} {L} = ? {S}", "How many {S} are there in {a} {L}?"};
    static constexpr const char* zh[] = {"{a}{L}等于多少{S}？", "{a}{L}是多少{S}？", "{a}{L}=?{S}",
                                         "把{a}{L}换算成{S}。"};
    pattern = chinese ? draw.pick(zh) : draw.pick(en);
    problem.canonical = canonical_form(*parse_expression(fmt::format("{}*{}", a, k)));
    result = working.multiply(a, k);
  } else if (task.level == 2) {
    static constexpr const char* en[] = {"How many {L} are {n} {S}?", "Convert {n} {S} to {L}.",
                                         "{n} {S} = ? {L}"};
    static constexpr const char* zh[] = {"{n}{S}等于多少{L}？", "{n}{S}是多少{L}？", "{n}{S}=?{L}"};
    pattern = chinese ? draw.pick(zh) : draw.pick(en);
    values.emplace_back("n", std::to_string(a * k));
    problem.canonical = fmt::format("{}/{}", a * k, k);
    result = working.divide(a * k, k);
  } else if (task.level == 3) {
    static constexpr const char* en[] = {"How many {S} are {a} {L} and {r} {S}?",
                                         "Convert {a} {L} {r} {S} to {S}.", "{a} {L} {r} {S} = ? {S}"};
    static constexpr const char* zh[] = {"{a}{L}{r}{S}等于多少{S}？", "{a}{L}{r}{S}一共是多少{S}？",
                                         "{a}{L}{r}{S}=?{S}"};
    pattern = chinese ? draw.pick(zh) : draw.pick(en);
    problem.canonical = canonical_form(*parse_expression(fmt::format("{}*{}+{}", a, k, rest)));
    result = working.add(working.multiply(a, k), rest);
  } else {
    const int64_t b = draw.between(2, most), rest_2 = draw.between(1, k - 1);
    static constexpr const char* en[] = {"How many {S} are {a} {L} {r} {S} and {b} {L} {q} {S} together?",
                                         "Add {a} {L} {r} {S} and {b} {L} {q} {S}. How many {S} is that?"};
    static constexpr const char* zh[] = {"{a}{L}{r}{S}加{b}{L}{q}{S}一共是多少{S}？",
                                         "{a}{L}{r}{S}与{b}{L}{q}{S}合起来是多少{S}？"};
    pattern = chinese ? draw.pick(zh) : draw.pick(en);
    values.emplace_back("b", std::to_string(b));
    values.emplace_back("q", std::to_string(rest_2));
    problem.canonical =
        canonical_form(*parse_expression(fmt::format("({}+{})*{}+{}+{}", a, b, k, rest, rest_2)));
    const int64_t whole = working.add(a, b);
    const int64_t parts = working.multiply(whole, k);
    result = working.add(parts, working.add(rest, rest_2));
  }
  problem.question = fill(pattern, values);
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(result));
  return problem;
}

}  // namespace r1::tasks
