#include "grade/text.h"

#include <algorithm>

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

std::optional<std::string_view> without_thinking(std::string_view output) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  if (const size_t close = output.rfind(kClose); close != std::string_view::npos)
    return output.substr(close + kClose.size());
  if (output.find(kOpen) != std::string_view::npos) return std::nullopt;
  return output;
}

}  // namespace r1::grade
