#include "train/data/thinking.h"

#include <fmt/format.h>

#include "base/error.h"

namespace r1 {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>", kSpace = " \t\r\n";

std::string_view without_leading(std::string_view text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  return text;
}

bool take_line_break(std::string_view& text) {
  for (const std::string_view line_break : {"\r\n", "\n"}) {
    if (!text.starts_with(line_break)) continue;
    text.remove_prefix(line_break.size());
    return true;
  }
  return false;
}

/// Thinking as templates write it: without the line breaks that belong to the tags.
std::string inner(std::string_view text) {
  take_line_break(text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

/// An answer without the line breaks behind the tag; where there are none, without the spaces.
std::string behind_tag(std::string_view text) {
  const std::string_view spaces_off = without_leading(text, " \t");
  if (!spaces_off.starts_with('\n') && !spaces_off.starts_with('\r')) return std::string(spaces_off);
  text = spaces_off;
  while (take_line_break(text)) {
  }
  return std::string(text);
}

std::string tag_problem(std::string_view text, std::string_view place) {
  for (const std::string_view tag : {kClose, kOpen}) {
    if (text.find(tag) != std::string_view::npos) {
      return fmt::format("expected one <think>…</think> in front of the answer, found another {} {}", tag,
                         place);
    }
  }
  return {};
}

}  // namespace

SplitAnswer split_thinking(std::string_view text) {
  SplitAnswer result;
  const std::string_view begin = without_leading(text, kSpace);
  const bool opened = begin.starts_with(kOpen);
  const std::string_view thinking = opened ? begin.substr(kOpen.size()) : text;
  const size_t end = thinking.find(kClose);
  if (end == std::string_view::npos) {
    result.answer = std::string(text);
    if (opened) {
      result.problem = "expected </think> behind <think>, found none";
    } else {
      result.problem = tag_problem(text, "inside it");
    }
    return result;
  }
  result.reasoning =
      inner(opened ? thinking.substr(0, end) : without_leading(thinking.substr(0, end), "\r\n"));
  result.answer = behind_tag(thinking.substr(end + kClose.size()));
  result.problem = tag_problem(*result.reasoning, "inside the thinking");
  if (result.problem.empty()) result.problem = tag_problem(result.answer, "behind it");
  return result;
}

SplitAnswer strip_thinking_tags(std::string_view text) {
  SplitAnswer result;
  result.answer = std::string(text);
  std::string_view rest = without_leading(text, kSpace);
  const bool opened = rest.starts_with(kOpen);
  std::string_view tail = rest.substr(0, rest.find_last_not_of(kSpace) + 1);
  const bool closed = tail.ends_with(kClose);
  if (opened && !closed) {
    result.problem = "expected </think> behind <think>, found none";
    return result;
  }
  if (closed) {
    tail.remove_suffix(kClose.size());
    if (opened) tail.remove_prefix(kOpen.size());
    result.answer = inner(tail);
  }
  for (const std::string_view tag : {kClose, kOpen}) {
    if (result.answer.find(tag) == std::string::npos) continue;
    result.problem = fmt::format("expected thinking alone, found {} inside it", tag);
  }
  return result;
}

}  // namespace r1
