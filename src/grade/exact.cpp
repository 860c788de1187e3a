#include "grade/exact.h"

#include <algorithm>
#include <array>

#include "grade/instructions/words.h"
#include "grade/text.h"

namespace r1::grade {
namespace {

std::string_view without_marks(std::string_view text) {
  constexpr auto kMarks = std::to_array<std::string_view>(
      {"*", "\"", "'", "`", "“", "”", "‘", "’", ".", "。", "!", "！", ",", "，", ";", "；", ":", "：", "$"});
  for (bool changed = true; changed;) {
    changed = false;
    text = trim(text);
    for (const std::string_view mark : kMarks) {
      if (text.size() > mark.size() && text.starts_with(mark))
        text.remove_prefix(mark.size()), changed = true;
      if (text.size() > mark.size() && text.ends_with(mark)) text.remove_suffix(mark.size()), changed = true;
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
  if (const size_t box = output.rfind("\\boxed{"); box != std::string_view::npos) {
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
    const size_t mark = folded.rfind(words);
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
