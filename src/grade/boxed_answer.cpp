#include "grade/boxed_answer.h"

#include "grade/calculator.h"

namespace r1::grade {

std::optional<std::string> boxed_answer(std::string_view text) {
  constexpr std::string_view kBoxed = "\\boxed{";
  const size_t start = text.rfind(kBoxed);
  if (start == std::string_view::npos) return std::nullopt;
  int depth = 1;
  std::string answer;
  for (const char c : text.substr(start + kBoxed.size())) {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth == 0) return answer;
    if (c != ' ' && c != '\n') answer += c;
  }
  return std::nullopt;
}

bool same_answer(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const std::optional<double> x = calculate(a), y = calculate(b);
  const auto is_number = [](std::string_view text) {  // "45-3" is a calculation, not an answer
    if (text.starts_with('-')) text.remove_prefix(1);
    return text.find_first_not_of("0123456789.") == std::string_view::npos;
  };
  return x && y && is_number(a) && is_number(b) && is_equal(*x, *y);
}

}  // namespace r1::grade
