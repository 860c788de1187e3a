// Heads and legs (鸡兔同笼): two kinds of things with different numbers of parts, counted together.
#include <fmt/format.h>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

/// Things with few and with many parts.
struct Kinds {
  int64_t few, many;
  const char *few_name, *many_name;  // plural
  const char *chinese_few, *chinese_many, *measure;
  const char *whole, *part;  // "heads", "legs"
  const char *chinese_whole, *chinese_part;
};
constexpr Kinds kKinds[] = {
    {2, 4, "chickens", "rabbits", "鸡", "兔", "只", "heads", "legs", "个头", "只脚"},
    {2, 4, "chickens", "rabbits", "鸡", "兔子", "只", "heads", "legs", "个头", "条腿"},
    {2, 4, "ducks", "pigs", "鸭", "猪", "只", "heads", "legs", "个头", "条腿"},
    {2, 4, "motorcycles", "cars", "摩托车", "汽车", "辆", "vehicles", "wheels", "辆车", "个轮子"},
    {3, 4, "tricycles", "cars", "三轮车", "汽车", "辆", "vehicles", "wheels", "辆车", "个轮子"},
    {6, 8, "beetles", "spiders", "甲虫", "蜘蛛", "只", "heads", "legs", "个头", "条腿"},
    {2, 5, "two-yuan coupons", "five-yuan coupons", "两元券", "五元券", "张", "coupons", "yuan", "张券",
     "元"},
};

// {h}: how many in all, {l}: parts in all.
constexpr const char* kEnglish[] = {"There are {f} and {m}, {h} {W} and {l} {P} in all.",
                                    "{F} and {m} together have {h} {W} and {l} {P}.",
                                    "A farmer counts {h} {W} and {l} {P} of his {f} and {m}.",
                                    "There are {h} {W} and {l} {P}; they belong to {f} and {m}."};
constexpr const char* kChinese[] = {"{f}和{m}一共有{h}{W}，{l}{P}。", "有{f}和{m}，共{h}{W}、{l}{P}，",
                                    "{f}{m}同笼，共有{h}{W}，{l}{P}。"};  // the last one is for animals

}  // namespace

Problem make_heads_and_legs(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  const Kinds& kinds = task.level <= 2 ? kKinds[draw.between(0, 2)] : draw.pick(kKinds);
  const int64_t most = task.level == 1 ? 9 : task.level == 2 ? 20 : 40;
  const int64_t few = draw.between(1, most), many = draw.between(1, most);
  const int64_t heads = few + many, legs = few * kinds.few + many * kinds.many;
  // One of the two kinds, or both.
  const int64_t asked = draw.between(0, task.level == 1 ? 1 : 2);
  Problem problem{
      "heads", task.level,   fmt::format("heads({},{},{},{})", heads, legs, kinds.few, kinds.many),
      {},      {},           {},
      {},      task.language};
  std::string capital = kinds.few_name;
  capital[0] = static_cast<char>(capital[0] - 32);
  const Values values = {{"f", zh ? kinds.chinese_few : kinds.few_name},
                         {"F", capital},
                         {"m", zh ? kinds.chinese_many : kinds.many_name},
                         {"W", zh ? kinds.chinese_whole : kinds.whole},
                         {"P", zh ? kinds.chinese_part : kinds.part},
                         {"h", std::to_string(heads)},
                         {"l", std::to_string(legs)},
                         {"u", kinds.measure}};
  static constexpr const char* questions[] = {" How many {f} are there?", " How many {m} are there?",
                                              " How many {f} and how many {m} are there?"};
  static constexpr const char* chinese_questions[] = {"{f}有多少{u}？", "{m}有多少{u}？",
                                                      "{f}和{m}各有几{u}？"};
  problem.question =
      fill(zh ? kChinese[draw.between(0, task.level <= 2 ? 2 : 1)] : draw.pick(kEnglish), values) +
      fill(zh ? chinese_questions[asked] : questions[asked], values);
  Working working(task.detail);
  working.line(fill(zh ? "如果都是{f}" : "if all were {f}", values));
  const int64_t low = working.multiply(heads, kinds.few);
  const int64_t more = working.subtract(legs, low);
  working.line(fmt::format("{}-{}={}", kinds.many, kinds.few, kinds.many - kinds.few));
  const int64_t found = kinds.many - kinds.few == 1 ? more : working.divide(more, kinds.many - kinds.few);
  working.line(fmt::format("{} {}", zh ? kinds.chinese_many : kinds.many_name, found));
  if (asked != 1) {
    working.line(
        fmt::format("{} {}", zh ? kinds.chinese_few : kinds.few_name, working.subtract(heads, found)));
  }
  problem.think = working.text();
  const std::string both = zh ? fmt::format("{}{}{}，{}{}{}", kinds.chinese_few, few, kinds.measure,
                                            kinds.chinese_many, many, kinds.measure)
                              : fmt::format("{} {}, {} {}", few, kinds.few_name, many, kinds.many_name);
  problem.answer = boxed(task.language, asked == 0   ? std::to_string(few)
                                        : asked == 1 ? std::to_string(many)
                                                     : both);
  return problem;
}

}  // namespace r1::tasks
