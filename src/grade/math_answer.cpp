#include "grade/math_answer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "grade/math/equivalence.h"
#include "grade/text.h"

namespace r1::grade {
namespace {

using math::Equivalence;

constexpr size_t kMaxOutput = size_t{1} << 22;  // bytes that are read, from the end
constexpr size_t kMaxBox = 20'000;              // bytes of a box
constexpr size_t kMaxBoxes = 20;                // that are read, from the end

/// Where the content of a box begins; nothing where no box begins at `at`.
std::optional<size_t> box_start(std::string_view text, size_t at) {
  for (const std::string_view command : {"\\boxed", "\\fbox", "\\framebox"}) {
    if (!text.substr(at).starts_with(command)) continue;
    const size_t start = text.find_first_not_of(" \t\r\n", at + command.size());
    if (start != std::string_view::npos) return start;
  }
  return std::nullopt;
}

std::string_view box_content(std::string_view text, size_t start) {
  if (text[start] != '{') {  // "\boxed 5"
    return text.substr(start, std::min(text.find_first_of(" \t\r\n$\\", start), text.size()) - start);
  }
  const size_t limit = std::min(text.size(), start + kMaxBox);
  int depth = 0;
  for (size_t end = start; end < limit; ++end) {
    if (text[end] == '\\') {  // "\{" opens nothing
      ++end;
      continue;
    }
    depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
    if (depth == 0) return trim(text.substr(start + 1, end - start - 1));
  }
  // Never closed: to the end of the line or formula.
  const size_t end = std::min(text.find_first_of("\n$", start), limit);
  return trim(text.substr(start + 1, end - start - 1));
}

/// The contents of the last boxes, in order.
std::vector<std::string_view> boxes(std::string_view text) {
  std::vector<std::string_view> found;
  for (size_t at = text.rfind('\\'); at != std::string_view::npos;
       at = at == 0 ? at - 1 : text.rfind('\\', at - 1)) {
    const std::optional<size_t> start = box_start(text, at);
    if (!start) continue;
    found.push_back(box_content(text, *start));
    if (found.size() == kMaxBoxes) break;
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// The text up to the end of its sentence or line.
std::string_view up_to_end(std::string_view text) {
  text = trim(text.substr(0, text.find('\n', text.find_first_not_of(" \t\r\n") == std::string_view::npos
                                                 ? 0
                                                 : text.find_first_not_of(" \t\r\n"))));
  for (size_t at = 0; at < text.size(); ++at) {
    const bool stop = text[at] == '.' && (at + 1 == text.size() || is_space(text[at + 1]));
    if (stop) return trim(text.substr(0, at));
    if (text.substr(at).starts_with("。")) return trim(text.substr(0, at));
  }
  return text;
}

bool is_separator(std::string_view text) {
  text = trim(text);
  constexpr auto kSeparators =
      std::to_array<std::string_view>({",", ";", "，", "；", "、", "and", "or", ", and", "和", "或", "与"});
  return std::find(kSeparators.begin(), kSeparators.end(), text) != kSeparators.end();
}

/// The formulas in dollar signs that a text begins with: one, or several with separators between them.
std::optional<std::string_view> leading_formulas(std::string_view text) {
  size_t end = 0;  // behind the last formula
  for (size_t at = 0; at < text.size() && text[at] == '$';) {
    const size_t from = text.find_first_not_of('$', at);
    const size_t close = from == std::string_view::npos ? from : text.find('$', from);
    if (close == std::string_view::npos) break;
    end = std::min(text.find_first_not_of('$', close), text.size());
    const size_t next = text.find('$', end);
    if (next == std::string_view::npos || !is_separator(text.substr(end, next - end))) break;
    at = next;
  }
  if (end == 0) return std::nullopt;
  std::string_view formulas = text.substr(0, end);
  if (formulas.find('$', formulas.find_first_not_of('$')) + 1 < formulas.find_last_not_of('$'))
    return formulas;
  while (formulas.starts_with('$')) formulas.remove_prefix(1);
  while (formulas.ends_with('$')) formulas.remove_suffix(1);
  return trim(formulas);
}

/// What follows the last announcement of an answer.
std::optional<std::string_view> announced(std::string_view text) {
  constexpr auto kAnnouncements = std::to_array<std::string_view>({
      "final answer is", "answer is", "answer:", "answer：", "答案是", "答案为", "答案：", "答案:", "结果是",
      "答：", "答:", "####",
      "\na: ",  // GSM8K's published solutions
  });
  const std::string folded = lower_ascii(text);
  size_t best = std::string::npos, length = 0;
  for (const std::string_view words : kAnnouncements) {
    const size_t at = find_last(folded, words);
    if (at != std::string::npos && (best == std::string::npos || at + words.size() > best + length)) {
      best = at;
      length = words.size();
    }
  }
  if (best == std::string::npos) return std::nullopt;
  std::string_view rest = text.substr(best + length);
  while (!rest.empty() && (is_space(rest.front()) || rest.front() == ':' || rest.front() == '*'))
    rest.remove_prefix(1);
  if (rest.starts_with("：")) rest.remove_prefix(std::string_view("：").size());
  if (const std::optional<std::string_view> formulas = leading_formulas(rest)) return formulas;
  rest = up_to_end(rest);
  while (!rest.empty() && rest.back() == '*') rest.remove_suffix(1);
  if (rest.empty()) return std::nullopt;
  return rest;
}

bool is_bare_answer(std::string_view text) {
  if (text.size() > 400 || text.find('\n') != std::string_view::npos) return false;
  int words = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() &&
           ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z')))
      ++end;
    const bool is_command = at > 0 && text[at - 1] == '\\';
    if (end - at >= 3 && !is_command) ++words;
    at = std::max(end, at + 1);
  }
  return words <= 5;
}

/// Whether what is between two dollar signs is a formula and not the text between two prices.
bool looks_like_formula(std::string_view text) {
  if (text.empty() || text.find('\n') != std::string_view::npos || text.find("<<") != std::string_view::npos)
    return false;
  if (std::string_view("=+-*/(<").find(text.back()) != std::string_view::npos) return false;
  size_t letters = 0;  // of the present word; commands of LaTeX are none
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      while (at + 1 < text.size() && is_letter(text[at + 1])) ++at;
      continue;
    }
    letters = is_letter(text[at]) ? letters + 1 : 0;
    constexpr size_t kWord = 4;
    if (letters == kWord && text.find("\\text") == std::string_view::npos) return false;
  }
  return true;
}

/// The last formula, and the byte behind it.
std::optional<std::pair<std::string_view, size_t>> last_formula(std::string_view text) {
  std::optional<std::pair<std::string_view, size_t>> best;
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}) {
    const size_t end = find_last(text, close);
    if (end == std::string_view::npos || end == 0) continue;
    const size_t start = find_last(text, open, end - 1);
    if (start == std::string_view::npos || start + open.size() >= end) continue;
    const std::string_view inside = trim(text.substr(start + open.size(), end - start - open.size()));
    if (!looks_like_formula(inside)) continue;
    if (!best || end > best->second) best = {inside, end};
  }
  return best;
}

/// The last number, and the byte behind it.
std::optional<std::pair<std::string_view, size_t>> last_number(std::string_view text) {
  for (size_t end = text.size(); end > 0; --end) {
    if (!is_digit(text[end - 1])) continue;
    size_t start = end;
    while (start > 0 && (is_digit(text[start - 1]) || text[start - 1] == '.' || text[start - 1] == ',' ||
                         text[start - 1] == '/'))
      --start;
    if (start > 0 && text[start - 1] == '-') --start;
    std::string_view number = text.substr(start, end - start);
    while (!number.empty() && (number.front() == '.' || number.front() == ',' || number.front() == '/'))
      number.remove_prefix(1);
    return std::pair(number, end);
  }
  return std::nullopt;
}

std::string_view word_of(Equivalence result) {
  return result == Equivalence::equal ? "equal" : result == Equivalence::different ? "different" : "unknown";
}

}  // namespace

MathVerdict grade_math(std::string_view reference, std::string_view output) {
  if (const std::vector<std::string_view> boxed = boxes(reference); !boxed.empty()) reference = boxed.back();
  reference = trim(reference);
  if (output.size() > kMaxOutput) output.remove_prefix(output.size() - kMaxOutput);
  const std::optional<std::string_view> answer_text = without_thinking(output);
  if (!answer_text) return {false, "", "truncated in thinking"};
  output = trim(*answer_text);

  const auto verdict = [&](std::string_view answer) {
    const Equivalence result = math::compare_answers(reference, answer);
    return MathVerdict{result == Equivalence::equal, std::string(answer), std::string(word_of(result))};
  };
  if (const std::vector<std::string_view> boxed = boxes(output); !boxed.empty()) {
    MathVerdict last = verdict(boxed.back());
    if (last.correct || boxed.size() == 1) return last;
    // Several answers in boxes of their own.
    std::string joined;
    for (const std::string_view& part : boxed) joined += (joined.empty() ? "" : ", ") + std::string(part);
    MathVerdict all = verdict(joined);
    return all.correct ? all : last;
  }
  if (const std::optional<std::string_view> answer = announced(output)) return verdict(*answer);
  if (output.empty()) return {false, "", "not extracted"};
  if (is_bare_answer(output)) {
    MathVerdict whole = verdict(output);
    if (whole.reason != "unknown") return whole;  // else a short sentence: "She has 5 apples left."
  }
  const auto formula = last_formula(output), number = last_number(output);
  if (formula && (!number || formula->second >= number->second)) return verdict(formula->first);
  if (number) return verdict(number->first);
  return {false, "", "not extracted"};
}

}  // namespace r1::grade
