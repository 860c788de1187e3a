// Days: the weekday some days on, days between two dates, the date some days on. Dates stay out of the end of February,
// whose length depends on the year.
#include <fmt/format.h>

#include "tasks/notation.h"
#include "tasks/problem.h"

namespace r1::tasks {
namespace {

constexpr const char* kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                 "Friday", "Saturday", "Sunday"};
constexpr const char* kChineseDays[] = {"一", "二", "三", "四", "五", "六", "日"};
constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};
constexpr int64_t kLengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

constexpr const char* kLater[] = {"Today is {d}. What day is it in {n} days?",
                                  "If today is {d}, what day of the week will it be in {n} days?",
                                  "It is {d}. What weekday is it {n} days later?",
                                  "what day is it {n} days after {d}",
                                  "Which day of the week is {n} days after {d}?"};
constexpr const char* kEarlier[] = {"Today is {d}. What day was it {n} days ago?",
                                    "If today is {d}, what day of the week was it {n} days ago?",
                                    "what day is it {n} days before {d}",
                                    "Which day of the week is {n} days before {d}?"};
constexpr const char* kChineseLater[] = {"今天是{d}，{n}天后是星期几？", "如果今天是{d}，再过{n}天是星期几？",
                                         "今天{d}，过{n}天星期几？", "{d}之后{n}天是星期几？"};
constexpr const char* kChineseEarlier[] = {"今天是{d}，{n}天前是星期几？",
                                           "如果今天是{d}，{n}天以前是星期几？", "{d}之前{n}天是星期几？"};

std::string weekday(bool zh, int64_t day) {
  return zh ? fmt::format("星期{}", kChineseDays[day]) : kDays[day];
}

/// Whole weeks first, then one day after another: "Monday 1 Tuesday 2 Wednesday".
Problem weekday_problem(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const int64_t start = draw.between(0, 6);
  const int64_t n = task.level == 1 ? draw.between(1, 13) : draw.between(8, 99);
  const bool later = task.level == 1 || draw.chance(0.65);
  Problem problem{"date", task.level,   fmt::format("weekday({}{}{})", start + 1, later ? '+' : '-', n),
                  {},     {},           {},
                  {},     task.language};
  const std::string_view pattern = later ? (zh ? draw.pick(kChineseLater) : draw.pick(kLater))
                                         : (zh ? draw.pick(kChineseEarlier) : draw.pick(kEarlier));
  problem.question = fill(pattern, {{"d", weekday(zh, start)}, {"n", draw_numbers(task)(n)}});
  Working working(task.detail);
  working.line(fmt::format("{} {}{}", weekday(zh, start), later ? '+' : '-', n));
  const int64_t rest = n < 7 ? n : working.remainder(n, 7);
  std::string steps = weekday(zh, start);
  int64_t day = start;
  for (int64_t i = 1; i <= rest; ++i) {
    day = (day + (later ? 1 : 6)) % 7;
    fmt::format_to(std::back_inserter(steps), " {} {}", i, weekday(zh, day));
  }
  working.line(steps);
  problem.think = working.text();
  problem.answer = boxed(task.language, weekday(zh, day));
  return problem;
}

struct Date {
  int64_t month, day;  // from 1
};

std::string written(bool zh, const Date& date) {
  return zh ? fmt::format("{}月{}日", date.month, date.day)
            : fmt::format("{} {}", kMonths[date.month - 1], date.day);
}

std::string month_length(bool zh, int64_t month) {
  const int64_t length = kLengths[month - 1];
  return zh ? fmt::format("{}月有{}天", month, length)
            : fmt::format("{} has {} days", kMonths[month - 1], length);
}

/// A month before the last that is not February.
int64_t draw_month(Draw& draw) {
  const int64_t month = draw.between(1, 10);
  return month >= 2 ? month + 1 : month;
}

Problem days_between(Task& task) {
  static constexpr const char* english[] = {"How many days are there from {a} to {b}?",
                                            "How many days is it from {a} to {b}?",
                                            "How many days after {a} is {b}?", "days between {a} and {b}"};
  static constexpr const char* chinese[] = {"从{a}到{b}有几天？", "{a}到{b}相隔多少天？",
                                            "{a}之后几天是{b}？"};
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const int64_t month = draw_month(draw), length = kLengths[month - 1];
  Date from{month, draw.between(1, length - 1)};
  const bool is_same_month = draw.chance(0.4);
  const Date to =
      is_same_month ? Date{month, draw.between(from.day + 1, length)} : Date{month + 1, draw.between(1, 28)};
  Problem problem{
      "date", task.level,   fmt::format("days({}-{},{}-{})", from.month, from.day, to.month, to.day),
      {},     {},           {},
      {},     task.language};
  problem.question =
      fill(zh ? draw.pick(chinese) : draw.pick(english), {{"a", written(zh, from)}, {"b", written(zh, to)}});
  Working working(task.detail);
  int64_t days = 0;
  if (is_same_month) {
    days = working.subtract(to.day, from.day);
  } else {
    working.line(month_length(zh, month));
    days = working.add(working.subtract(length, from.day), to.day);
  }
  problem.think = working.text();
  problem.answer = boxed(task.language, std::to_string(days));
  return problem;
}

Problem date_after(Task& task) {
  static constexpr const char* english[] = {
      "What is the date {n} days after {a}?", "Today is {a}. What date is it in {n} days?",
      "Which date is {n} days after {a}?", "{n} days after {a} is what date"};
  static constexpr const char* chinese[] = {"{a}之后{n}天是几月几日？", "今天是{a}，{n}天后是几月几日？",
                                            "{a}过{n}天是哪一天？"};
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const int64_t month = draw_month(draw), length = kLengths[month - 1];
  const Date from{month, draw.between(1, length)};
  const int64_t n = draw.between(2, 28);
  Problem problem{"date", task.level,   fmt::format("date({}-{}+{})", from.month, from.day, n), {}, {}, {},
                  {},     task.language};
  problem.question = fill(zh ? draw.pick(chinese) : draw.pick(english),
                          {{"a", written(zh, from)}, {"n", std::to_string(n)}});
  Working working(task.detail);
  Date to{month, working.add(from.day, n)};
  working.line(month_length(zh, month));
  if (to.day > length) {
    working.line(fmt::format("{}>{}", to.day, length));
    to = {month + 1, working.subtract(to.day, length)};
  }
  problem.think = working.text();
  problem.answer = boxed(task.language, written(zh, to));
  return problem;
}

}  // namespace

Problem make_date(Task& task) {
  if (task.level <= 2) return weekday_problem(task);
  return task.level == 3 ? days_between(task) : date_after(task);
}

}  // namespace r1::tasks
