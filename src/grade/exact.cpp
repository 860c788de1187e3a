#include "grade/exact.h"

#include <algorithm>
#include <array>

#include "grade/instructions/words.h"
#include "grade/text.h"

namespace r1::grade {
namespace {

/// Bytes of the mark at the text's beginning, or end; 0: there is none.
size_t mark_at(std::string_view text, bool at_end) {
  constexpr std::string_view kAscii = "*\"'`.!,;:$";
  constexpr auto kOthers =
      std::to_array<std::string_view>({"“", "”", "‘", "’", "。", "！", "，", "；", "："});
  if (kAscii.find(at_end ? text.back() : text.front()) != std::string_view::npos) return 1;
  const auto* mark = std::find_if(kOthers.begin(), kOthers.end(), [&](std::string_view one) {
    return at_end ? text.ends_with(one) : text.starts_with(one);
  });
  return mark == kOthers.end() ? 0 : mark->size();
}

/// Without white space and marks at both ends. A text of one mark is kept.
std::string_view without_marks(std::string_view text) {
  for (const bool at_end : {false, true}) {
    text = trim(text);
    for (size_t size = 1; size > 0;) {
      size = text.empty() ? 0 : mark_at(text, at_end);
      if (size >= text.size()) return text;
      at_end ? text.remove_suffix(size) : text.remove_prefix(size);
      if (size > 0) text = trim(text);
    }
  }
  return text;
}

std::string normal_text(std::string_view text) {
  std::string out;
  bool space = false;
  for (const char c : lower_case(without_marks(text))) {
    if (is_space(c)) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out += ' ';
    space = false;
    out += c;
  }
  return out;
}

}  // namespace

std::string plain_answer(std::string_view output) {
  output = without_thinking(output).value_or("");
  if (const size_t box = find_last(output, "\\boxed{"); box != std::string_view::npos) {
    int depth = 0;
    for (size_t at = box; at < output.size(); ++at) {
      depth += output[at] == '{' ? 1 : output[at] == '}' ? -1 : 0;
      if (output[at] == '}' && depth == 0) {
        const size_t start = box + std::string_view("\\boxed{").size();
        return std::string(without_marks(output.substr(start, at - start)));
      }
    }
  }
  const std::string folded = lower_ascii(output);
  for (const std::string_view words : {"answer:", "答案：", "答案:", "answer is"}) {
    const size_t mark = find_last(folded, words);
    if (mark == std::string::npos) continue;
    std::string_view rest = output.substr(mark + words.size());
    while (!rest.empty() && (is_space(rest.front()) || rest.front() == '*')) rest.remove_prefix(1);
    rest = without_marks(rest.substr(0, rest.find('\n')));
    if (!rest.empty()) return std::string(rest);
  }
  return std::string(without_marks(output));
}

bool same_text(std::string_view a, std::string_view b) {
  return normal_text(a) == normal_text(b);
}

}  // namespace r1::grade
