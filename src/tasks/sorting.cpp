// Numbers in order, words in alphabetical order: one after another is taken from what is left.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "tasks/problem.h"
#include "tasks/words.h"

namespace r1::tasks {
namespace {

constexpr const char* kUpEnglish[] = {"Sort {s} from smallest to largest.",
                                      "Sort these numbers in ascending order: {s}",
                                      "Put {s} in order from small to large.",
                                      "order from least to greatest: {s}",
                                      "Sort ascending: {s}",
                                      "Sort {s}.",
                                      "Arrange {s} in increasing order."};
constexpr const char* kDownEnglish[] = {"Sort {s} from largest to smallest.",
                                        "Sort these numbers in descending order: {s}",
                                        "Put {s} in order from large to small.",
                                        "order from greatest to least: {s}",
                                        "Sort descending: {s}",
                                        "Arrange {s} in decreasing order."};
constexpr const char* kUpChinese[] = {"把{s}从小到大排列。", "将{s}按从小到大的顺序排列。",
                                      "从小到大排序：{s}", "给{s}排序，从小到大。", "升序排列：{s}"};
constexpr const char* kDownChinese[] = {"把{s}从大到小排列。", "将{s}按从大到小的顺序排列。",
                                        "从大到小排序：{s}", "给{s}排序，从大到小。", "降序排列：{s}"};
constexpr const char* kWordsEnglish[] = {"Sort alphabetically: {s}", "Put {s} in alphabetical order.",
                                         "Sort the words {s}.", "alphabetical order: {s}",
                                         "Arrange {s} alphabetically."};
constexpr const char* kWordsChinese[] = {"按字母顺序排列：{s}", "把{s}按字母顺序排列。",
                                         "将单词{s}按字母表顺序排序。"};

/// Takes the first by `is_before` from what is left, until one is left. The sorted list.
template <typename Item, typename Order>
std::vector<Item> work_selection(Working& working, std::vector<Item> left, Order is_before) {
  std::vector<Item> sorted;
  while (left.size() > 1) {
    const auto first = std::min_element(left.begin(), left.end(), is_before);
    sorted.push_back(*first);
    left.erase(first);
    working.line(fmt::format("{}: {}", sorted.back(), fmt::join(left, " ")));
  }
  sorted.push_back(left.front());
  return sorted;
}

template <typename Item>
bool has_equal(const std::vector<Item>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (std::count(items.begin(), items.end(), items[i]) > 1) return true;
  }
  return false;
}

template <typename Item>
std::string joined(const std::vector<Item>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

}  // namespace

Problem make_sorting(Task& task) {
  Draw& draw = task.draw;
  const bool zh = task.is_chinese();
  Problem problem{"sorting", task.level, {}, {}, {}, {}, {}, task.language};
  Working working(task.detail);
  static constexpr const char* separators[] = {", ", ", ", ",", " "};
  static constexpr const char* chinese_separators[] = {"、", "，", ", ", " "};
  const std::string_view separator = zh ? draw.pick(chinese_separators) : draw.pick(separators);
  if (task.level == 4) {
    std::vector<std::string> words;
    do {
      words.clear();
      const int64_t count = draw.between(3, 4);
      for (int64_t i = 0; i < count; ++i) words.push_back(draw_known_word(draw, 3, 9));
    } while (has_equal(words));
    problem.question =
        fill(zh ? draw.pick(kWordsChinese) : draw.pick(kWordsEnglish), {{"s", joined(words, separator)}});
    working.line(fmt::format("a-z: {}", joined(words, " ")));
    const std::vector<std::string> sorted = work_selection(working, words, std::less<>());
    problem.canonical = fmt::format("sort({})", joined(sorted, ","));
    problem.answer = boxed(task.language, joined(sorted, ", "));
    problem.think = working.text();
    return problem;
  }
  std::vector<int64_t> numbers;
  do {
    numbers.clear();
    const int64_t count = task.level + 2;
    const int64_t most = task.level == 1 ? 20 : task.level == 2 ? 99 : 300;
    for (int64_t i = 0; i < count; ++i) numbers.push_back(draw.between(1, most));
  } while (has_equal(numbers));
  const bool up = draw.chance(0.6);
  problem.question = fill(up ? (zh ? draw.pick(kUpChinese) : draw.pick(kUpEnglish))
                             : (zh ? draw.pick(kDownChinese) : draw.pick(kDownEnglish)),
                          {{"s", joined(numbers, separator)}});
  working.line(fmt::format("{}: {}",
                           up ? (zh ? "从小到大" : "smallest first") : (zh ? "从大到小" : "largest first"),
                           joined(numbers, " ")));
  const std::vector<int64_t> sorted =
      work_selection(working, numbers, [up](int64_t a, int64_t b) { return up ? a < b : a > b; });
  std::vector<int64_t> ascending = numbers;
  std::sort(ascending.begin(), ascending.end());
  problem.canonical = fmt::format("sort({})", joined(ascending, ","));
  problem.answer = boxed(task.language, joined(sorted, ", "));
  problem.think = working.text();
  return problem;
}

}  // namespace r1::tasks
