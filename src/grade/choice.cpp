#include "grade/choice.h"

#include <algorithm>
#include <array>
#include <string>

namespace r1::grade {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/// Skips what models put between the announcement and the letter.
size_t skip_marks(std::string_view text, size_t at) {
  constexpr auto kMarks = std::to_array<std::string_view>(
      {"\\boxed{", "\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "：", "（", "是", "为", "选项"});
  const size_t limit = std::min(text.size(), at + 60);
  while (at < limit) {
    if (std::string_view(" \t\r\n*_:([{$\"'`").find(text[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    const auto* mark = std::find_if(kMarks.begin(), kMarks.end(),
                                    [&](std::string_view m) { return text.substr(at).starts_with(m); });
    if (mark == kMarks.end()) break;
    at += mark->size();
  }
  return at;
}

/// A single letter at `at`, in the allowed range; capitals, and small letters where `small` is set.
std::optional<char> letter_at(std::string_view text, size_t at, char last, bool small) {
  if (at >= text.size()) return std::nullopt;
  const char c = text[at];
  const char upper = static_cast<char>(small && c >= 'a' && c <= 'z' ? c - 32 : c);
  if (upper < 'A' || upper > last) return std::nullopt;
  if (at + 1 < text.size() &&
      (is_letter(text[at + 1]) || (text[at + 1] >= '0' && text[at + 1] <= '9') || text[at + 1] == '\''))
    return std::nullopt;
  return upper;
}

std::optional<char> announced(std::string_view text, std::string_view folded, std::string_view words,
                              char last) {
  for (size_t at = folded.rfind(words); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : folded.rfind(words, at - 1)) {
    const size_t behind = skip_marks(text, at + words.size());
    // "the answer is a number" names no choice: a small letter counts only where it ends the line.
    const bool ends = behind + 1 >= text.size() ||
                      std::string_view("\r\n.)").find(text[behind + 1]) != std::string_view::npos;
    if (const std::optional<char> letter = letter_at(text, behind, last, ends)) return letter;
  }
  return std::nullopt;
}

}  // namespace

std::optional<char> chosen_letter(std::string_view output, char last) {
  constexpr size_t kMaxOutput = size_t{1} << 20;
  if (const size_t close = output.rfind("</think>"); close != std::string_view::npos) {
    output.remove_prefix(close + std::string_view("</think>").size());
  } else if (output.find("<think>") != std::string_view::npos) {
    return std::nullopt;
  }
  if (output.size() > kMaxOutput) output.remove_prefix(output.size() - kMaxOutput);
  std::string folded(output);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);

  for (const std::string_view words :
       {"answer:", "answer：", "answer is", "answer**:", "答案", "故选", "应选", "选择", "\\boxed{"}) {
    if (const std::optional<char> letter = announced(output, folded, words, last)) return letter;
  }
  // A last line that begins with a marked letter.
  std::string_view rest = output;
  while (!rest.empty() && std::string_view(" \t\r\n").find(rest.back()) != std::string_view::npos)
    rest.remove_suffix(1);
  const size_t line = rest.rfind('\n');
  const std::string_view final_line = line == std::string_view::npos ? rest : rest.substr(line + 1);
  const size_t start = skip_marks(final_line, 0);
  if (const std::optional<char> letter = letter_at(final_line, start, last, final_line.size() <= 3)) {
    const bool marked = start + 1 >= final_line.size() ||
                        std::string_view(".):*").find(final_line[start + 1]) != std::string_view::npos;
    if (marked) return letter;
  }
  // The last capital that stands alone; "I" and "A" are words as well where more follows.
  for (size_t at = output.size(); at > 0; --at) {
    const char c = output[at - 1];
    if (c < 'A' || c > last) continue;
    const bool alone = (at == 1 || !is_word(output[at - 2])) &&
                       (at == output.size() || (!is_word(output[at]) && output[at] != '\''));
    const bool is_article =
        (c == 'A' || c == 'I') && at + 1 < output.size() && output[at] == ' ' && is_letter(output[at + 1]);
    if (alone && !is_article) return c;
  }
  return std::nullopt;
}

}  // namespace r1::grade
