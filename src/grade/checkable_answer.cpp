#include "grade/checkable_answer.h"

#include <string_view>

#include "grade/boxed_answer.h"

namespace r1::grade {
namespace {

constexpr size_t kLongestPlainAnswer = 200;  // bytes of an answer without a box

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

}  // namespace

std::optional<std::string> checkable_answer(const std::string& answer) {
  if (std::optional<std::string> boxed = boxed_answer(answer)) return boxed;
  if (const size_t mark = answer.rfind("####"); mark != std::string::npos)
    return trimmed(std::string_view(answer).substr(mark + 4));
  std::string whole = trimmed(answer);
  if (whole.empty() || whole.size() > kLongestPlainAnswer || whole.find('\n') != std::string::npos)
    return std::nullopt;
  return whole;
}

}  // namespace r1::grade
