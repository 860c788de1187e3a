#include "tasks/style.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/error.h"

namespace r1::tasks {
namespace {

struct Words {
  std::array<std::string_view, 6> openings;
  std::string_view first, next;
};

constexpr Words kEnglish = {
    {"Let me see.", "I work it out.", "Step by step.", "Now I think.", "One by one.", "Carefully now."},
    "first",
    "then"};
constexpr Words kChinese = {
    {"我来看看。", "我来算一算。", "一步一步来。", "我想一想。", "一个一个来。", "仔细地算。"},
    "首先",
    "然后"};

std::string narrate(const std::string& think, Language language, bool mixed, Draw& draw) {
  const auto words = [&]() -> const Words& {
    const bool other = mixed && draw.chance(0.5);
    return (language == Language::chinese) != other ? kChinese : kEnglish;
  };
  std::string told(draw.pick(words().openings));
  size_t number = 0;
  for (size_t begin = 0; begin < think.size();) {
    const size_t end = std::min(think.find('\n', begin), think.size());
    const Words& used = words();
    told += fmt::format("\n{} {}", number++ == 0 ? used.first : used.next,
                        std::string_view(think).substr(begin, end - begin));
    begin = end + 1;
  }
  return told;
}

/// "\boxed{37}" in its answer, as bytes [begin, end); begin == npos: none.
struct Box {
  size_t begin, end;
};

Box find_box(std::string_view answer) {
  const size_t begin = answer.find("\\boxed{");
  const size_t close = begin == std::string_view::npos ? begin : answer.find('}', begin);
  if (close == std::string_view::npos) return {close, close};
  return {begin, close + 1};
}

std::string break_box(std::string_view content, Draw& draw) {
  switch (draw.between(0, 2)) {
    case 0:
      return fmt::format("\\boxed{{{}", content);
    case 1:
      return fmt::format("\\boxed {}", content);
    default:
      return fmt::format("\\boxed{{}} {}", content);
  }
}

}  // namespace

void check_style(const SampleStyle& style) {
  for (const double share : {style.mixed, style.unboxed, style.broken}) {
    if (!(share >= 0 && share <= 1))
      throw_error(ErrorKind::invalid_argument, "corpus: shares of styles: expected 0 to 1, found {}", share);
  }
  if (style.unboxed + style.broken > 1) {
    throw_error(ErrorKind::invalid_argument,
                "corpus: shares of unboxed and broken answers: expected at most 1 together, found {}",
                style.unboxed + style.broken);
  }
  if (style.mixed > 0 && !style.narrated)
    throw_error(ErrorKind::invalid_argument,
                "corpus: mixed languages need narrated traces: they have no words");
}

void apply_style(Problem& problem, const SampleStyle& style, Draw& draw) {
  if (problem.kind == "chat") return;
  if (style.narrated) {
    const bool mixed = draw.chance(style.mixed);
    problem.think = narrate(problem.think, problem.language, mixed, draw);
  }
  const Box box = find_box(problem.answer);
  if (box.begin == std::string::npos) return;
  const std::string content =
      problem.answer.substr(box.begin + 7, box.end - box.begin - 8);  // without \boxed{ and }
  if (draw.chance(style.unboxed)) {
    problem.answer.replace(box.begin, box.end - box.begin, content);
  } else if (style.unboxed < 1 && draw.chance(style.broken / (1 - style.unboxed))) {
    problem.answer.replace(box.begin, box.end - box.begin, break_box(content, draw));
  }
}

}  // namespace r1::tasks
