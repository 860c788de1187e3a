#include "grade/choice.h"

#include <algorithm>
#include <array>
#include <string>

#include "grade/text.h"

namespace r1::grade {
namespace {

bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
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
  for (size_t at = find_last(folded, words); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : find_last(folded, words, at - 1)) {
    const size_t behind = skip_marks(text, at + words.size());
    // "the answer is a number" names no choice: a small letter counts only where it ends the line.
    const bool ends = behind + 1 >= text.size() ||
                      std::string_view("\r\n.)").find(text[behind + 1]) != std::string_view::npos;
    if (const std::optional<char> letter = letter_at(text, behind, last, ends)) return letter;
  }
  return std::nullopt;
}

/// "#### B", alone on the last line that begins so: the form of GSM8K's solutions. A heading has more words.
std::optional<char> letter_behind_hashes(std::string_view text, char last) {
  constexpr std::string_view kMark = "####";
  const size_t at = find_last(text, kMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(at + kMark.size());
  const std::string_view letter = trim(line.substr(0, line.find('\n')));
  return letter.size() == 1 ? letter_at(letter, 0, last, false) : std::nullopt;
}

constexpr auto kAnnouncements = std::to_array<std::string_view>(
    {"answer:", "answer：", "answer is", "answer**:", "答案", "故选", "应选", "选择", "\\boxed{"});

/// What is read of an output: behind the thinking, from the end.
std::string_view readable(std::string_view output) {
  return without_thinking(output).value_or("");
}

void remove_all(std::string& text, std::string_view part) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t found = std::min(text.find(part, at), text.size());
    out.append(text, at, found - at);
    at = found + (found < text.size() ? part.size() : 0);
  }
  text = std::move(out);
}

/// What simple-evals' normalisation removes, in its order.
constexpr auto kRemoved =
    std::to_array<std::string_view>({"**", "$\\boxed{", "}$", "\\$", "$\\text{", "$", "\\mathrm{", "\\{",
                                     "\\text", "\\(", "\\mathbf{", "{", "\\boxed"});

/// "Answer" in the languages of simple-evals' list, in its order; a colon follows, ASCII's or full-width.
constexpr auto kAnswerWords = std::to_array<std::string_view>({
    "answer",    "antwort",  "답변",    "정답",   "답",    "答案",    "答",      "答复",     "答曰",
    "respuesta", "risposta", "答え",    "回答",   "解答",  "jawaban", "réponse", "resposta", "jibu",
    "उत्तर",      "উত্তর",     "الإجابة", "الجواب", "إجابة", "idahun",  "ìdáhùn",  "idáhùn",   "àdáhùn",
});

/// Arabic, Bengali and full-width letters for A to D.
constexpr auto kOtherLetters = std::to_array<std::pair<std::string_view, char>>({{"أ", 'A'},
                                                                                 {"ب", 'B'},
                                                                                 {"ج", 'C'},
                                                                                 {"د", 'D'},
                                                                                 {"অ", 'A'},
                                                                                 {"ব", 'B'},
                                                                                 {"ড", 'C'},
                                                                                 {"ঢ", 'D'},
                                                                                 {"Ａ", 'A'},
                                                                                 {"Ｂ", 'B'},
                                                                                 {"Ｃ", 'C'},
                                                                                 {"Ｄ", 'D'}});

}  // namespace

std::optional<char> announced_letter(std::string_view output, char last) {
  output = readable(output);
  if (const std::optional<char> letter = letter_behind_hashes(output, last)) return letter;
  const std::string folded = lower_ascii(output);
  for (const std::string_view words : kAnnouncements) {
    if (const std::optional<char> letter = announced(output, folded, words, last)) return letter;
  }
  // A last line that begins with a marked letter.
  const std::string_view rest = trim(output);
  const size_t line = rest.rfind('\n');
  const std::string_view final_line = line == std::string_view::npos ? rest : rest.substr(line + 1);
  const size_t start = skip_marks(final_line, 0);
  if (const std::optional<char> letter = letter_at(final_line, start, last, final_line.size() <= 3)) {
    const bool marked = start + 1 >= final_line.size() ||
                        std::string_view(".):*").find(final_line[start + 1]) != std::string_view::npos;
    if (marked) return letter;
  }
  return std::nullopt;
}

std::optional<char> chosen_letter(std::string_view output, char last) {
  if (const std::optional<char> letter = announced_letter(output, last)) return letter;
  output = readable(output);
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

std::string chosen_letters(std::string_view output, char last) {
  output = readable(output);
  const std::string folded = lower_ascii(output);
  constexpr auto kSeparators = std::to_array<std::string_view>(
      {" ", ",", "，", "、", ";", "；", "和", "and ", "\\text{", "}", "\\", "{", "(", ")", "&"});
  for (const std::string_view words : {"\\boxed{", "答案", "故选", "应选", "answer:", "answer is", "选"}) {
    const size_t mark = find_last(folded, words);
    if (mark == std::string::npos) continue;
    std::string letters;
    size_t at = skip_marks(output, mark + words.size());
    while (at < output.size()) {
      if (output[at] >= 'A' && output[at] <= last) {
        letters += output[at++];
        continue;
      }
      const std::string_view behind = output.substr(at);
      const auto* separator = std::find_if(kSeparators.begin(), kSeparators.end(),
                                           [&](std::string_view part) { return behind.starts_with(part); });
      if (separator == kSeparators.end()) break;
      at += separator->size();
    }
    std::sort(letters.begin(), letters.end());
    letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
    if (!letters.empty()) return letters;
  }
  const std::optional<char> letter = chosen_letter(output, last);
  return letter ? std::string(1, *letter) : "";
}

std::optional<char> simple_evals_letter(std::string_view answer, char last) {
  if (answer.size() > kMaxGradedBytes) answer.remove_prefix(answer.size() - kMaxGradedBytes);
  std::string text(answer);
  for (const std::string_view part : kRemoved) remove_all(text, part);
  const std::string folded = lower_ascii(text);
  for (const std::string_view word : kAnswerWords) {
    for (size_t at = folded.find(word); at != std::string::npos; at = folded.find(word, at + 1)) {
      size_t next = at + word.size();
      while (next < text.size() && is_space(text[next])) ++next;
      const std::string_view colon = std::string_view(text).substr(next);
      if (!colon.starts_with(':') && !colon.starts_with("：")) continue;
      next += colon[0] == ':' ? 1 : std::string_view("：").size();
      while (next < text.size() && (text[next] == ' ' || text[next] == '\t')) ++next;
      if (next >= text.size()) continue;
      const char upper =
          static_cast<char>(text[next] >= 'a' && text[next] <= 'z' ? text[next] - 32 : text[next]);
      if (upper >= 'A' && upper <= last) {
        const bool is_capital = text[next] == upper;
        if (is_capital || next + 1 >= text.size() || !is_word(text[next + 1])) return upper;
        continue;
      }
      for (const auto& [name, letter] : kOtherLetters) {
        if (std::string_view(text).substr(next).starts_with(name)) return letter;
      }
    }
  }
  return std::nullopt;
}

std::optional<char> mmlu_pro_letter(std::string_view answer) {
  if (answer.size() > kMaxGradedBytes) answer.remove_prefix(answer.size() - kMaxGradedBytes);
  const auto is_choice = [](char c) { return c >= 'A' && c <= 'J'; };
  constexpr std::string_view kIs = "answer is ";
  for (size_t at = answer.find(kIs); at != std::string_view::npos; at = answer.find(kIs, at + 1)) {
    size_t next = at + kIs.size();
    if (next < answer.size() && answer[next] == '(') ++next;
    if (next < answer.size() && is_choice(answer[next])) return answer[next];
  }
  // The last announcement of the first line that has one: the expression's ".*" is greedy and does not cross lines.
  std::optional<char> found;
  size_t line_end = 0;
  for (size_t at = answer.find("nswer:"); at != std::string_view::npos; at = answer.find("nswer:", at + 1)) {
    if (found && at > line_end) break;
    if (at == 0 || (answer[at - 1] != 'a' && answer[at - 1] != 'A')) continue;
    size_t next = at + std::string_view("nswer:").size();
    while (next < answer.size() && is_space(answer[next])) ++next;
    if (next >= answer.size() || !is_choice(answer[next])) continue;
    found = answer[next];
    line_end = std::min(answer.find('\n', at), answer.size());
  }
  if (found) return found;
  for (size_t at = answer.size(); at > 0; --at) {
    const bool alone = is_choice(answer[at - 1]) && (at == 1 || !is_word(answer[at - 2])) &&
                       (at == answer.size() || !is_word(answer[at]));
    if (alone) return answer[at - 1];
  }
  return std::nullopt;
}

}  // namespace r1::grade
