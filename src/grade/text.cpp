#include "grade/text.h"

#include <algorithm>
#include <cstring>

namespace r1::grade {

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

size_t find_last(std::string_view text, std::string_view word, size_t from) {
  if (word.empty() || word.size() > text.size()) return std::string_view::npos;
  for (size_t end = std::min(from, text.size() - word.size()) + 1; end > 0;) {
    const void* first = memrchr(text.data(), word.front(), end);
    if (first == nullptr) break;
    const auto at = static_cast<size_t>(static_cast<const char*>(first) - text.data());
    if (text.substr(at, word.size()) == word) return at;
    end = at;
  }
  return std::string_view::npos;
}

std::optional<std::string_view> without_thinking(std::string_view output) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  if (output.size() > kMaxGradedBytes) output.remove_prefix(output.size() - kMaxGradedBytes);
  if (const size_t close = find_last(output, kClose); close != std::string_view::npos)
    return output.substr(close + kClose.size());
  if (output.find(kOpen) != std::string_view::npos) return std::nullopt;
  return output;
}

}  // namespace r1::grade
