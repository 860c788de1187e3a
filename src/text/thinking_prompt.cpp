#include "text/thinking_prompt.h"

namespace r1 {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

}  // namespace

ThinkingEnd find_thinking_end(std::string_view prompt) {
  const std::size_t last = prompt.find_last_not_of(" \t\r\n");
  if (last == prompt.npos) return {};
  const std::string_view text = prompt.substr(0, last + 1);
  if (text.ends_with(kClose)) return {ThinkingEnd::Kind::closed, text.size() - kClose.size()};
  if (text.ends_with(kOpen)) return {ThinkingEnd::Kind::opened, text.size() - kOpen.size()};
  return {};
}

void begin_thinking(std::string& prompt, std::optional<bool> wanted) {
  const ThinkingEnd end = find_thinking_end(prompt);
  if (end.kind == ThinkingEnd::Kind::closed) return;
  if (end.kind == ThinkingEnd::Kind::none) prompt += "<think>\n";
  if (wanted.value_or(true)) return;
  if (!prompt.ends_with('\n')) prompt += '\n';
  prompt += "\n</think>\n\n";
}

}  // namespace r1
