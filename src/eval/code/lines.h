// Lines and edges of texts.
#pragma once

#include <string_view>
#include <vector>

namespace r1::eval {

/// Without their "\n"; an empty text has one empty line, as Python's split("\n").
inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

/// Without white space (ASCII's, as Python's strip()) at both ends.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace(" \t\n\v\f\r\x1c\x1d\x1e\x1f", 10);
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace r1::eval
