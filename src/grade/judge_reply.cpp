#include "grade/judge_reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "grade/text.h"

namespace r1::grade {
namespace {

bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_';
}

/// Where the word is last, alone; npos: nowhere.
size_t last_word(std::string_view text, std::string_view word) {
  for (size_t at = find_last(text, word); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : find_last(text, word, at - 1)) {
    const bool starts = at == 0 || !is_word(text[at - 1]);
    const bool ends = at + word.size() == text.size() || !is_word(text[at + word.size()]);
    if (starts && ends) return at;
  }
  return std::string_view::npos;
}

/// The value of the word that is last in the text.
template <class Value, size_t kCount>
std::optional<Value> value_of_last_word(std::string_view text,
                                        const std::array<std::pair<std::string_view, Value>, kCount>& words) {
  std::optional<Value> found;
  size_t best = 0;
  for (const auto& [word, value] : words) {
    const size_t at = last_word(text, word);
    if (at != std::string_view::npos && (!found || at + word.size() > best)) {
      best = at + word.size();
      found = value;
    }
  }
  return found;
}

std::optional<std::string> last_in_brackets(std::string_view text, std::string_view open,
                                            std::string_view close) {
  for (size_t at = find_last(text, open); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : find_last(text, open, at - 1)) {
    const size_t start = at + open.size();
    const size_t end = text.find_first_not_of("AB<>=", start);
    if (end != std::string_view::npos && end > start && text.substr(end).starts_with(close))
      return std::string(text.substr(start, end - start));
  }
  return std::nullopt;
}

}  // namespace

std::optional<FactGrade> read_fact_grade(std::string_view reply) {
  constexpr std::array<std::pair<std::string_view, FactGrade>, 3> kLetters{
      {{"A", FactGrade::correct}, {"B", FactGrade::incorrect}, {"C", FactGrade::not_attempted}}};
  constexpr std::array<std::pair<std::string_view, FactGrade>, 4> kWords{
      {{"correct", FactGrade::correct},
       {"incorrect", FactGrade::incorrect},
       {"not_attempted", FactGrade::not_attempted},
       {"not attempted", FactGrade::not_attempted}}};
  constexpr std::array<std::pair<std::string_view, FactGrade>, 4> kChinese{
      {{"不正确", FactGrade::incorrect},
       {"正确", FactGrade::correct},
       {"错误", FactGrade::incorrect},
       {"未尝试", FactGrade::not_attempted}}};
  const std::string_view text = trim(without_thinking(reply).value_or(""));
  // "A", "A: CORRECT", "(B)"
  const std::string_view inner = text.substr(std::min(text.find_first_not_of("(\"*"), text.size()));
  for (const auto& [letter, grade] : kLetters) {
    if (inner.starts_with(letter) && (inner.size() == 1 || !is_word(inner[1]))) return grade;
  }
  const std::string folded = lower_ascii(text);
  if (const auto grade = value_of_last_word(folded, kWords)) return grade;
  if (const auto grade = value_of_last_word(folded, kChinese)) return grade;
  return value_of_last_word(text, kLetters);
}

std::optional<bool> read_true_or_false(std::string_view reply) {
  constexpr std::array<std::pair<std::string_view, bool>, 8> kWords{{{"true", true},
                                                                     {"false", false},
                                                                     {"yes", true},
                                                                     {"no", false},
                                                                     {"correct", true},
                                                                     {"incorrect", false},
                                                                     {"a", true},
                                                                     {"b", false}}};
  const std::string folded = lower_ascii(without_thinking(reply).value_or(""));
  const std::string_view text = trim(folded);
  if (const size_t decision = find_last(text, "decision"); decision != std::string_view::npos) {
    if (const auto value = value_of_last_word(text.substr(decision), kWords)) return value;
  }
  if (text.size() <= 2) return value_of_last_word(text, kWords);
  constexpr std::array<std::pair<std::string_view, bool>, 6> kLonger{
      {kWords[0], kWords[1], kWords[2], kWords[3], kWords[4], kWords[5]}};
  return value_of_last_word(text, kLonger);
}

std::optional<GameVerdict> read_game(std::string_view reply) {
  const std::string_view answer = without_thinking(reply).value_or("");
  std::string text(answer);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
  std::optional<std::string> verdict = last_in_brackets(text, "[[", "]]");
  if (!verdict) verdict = last_in_brackets(text, "[", "]");
  if (!verdict) return std::nullopt;
  struct Form {
    std::string_view text;
    GameVerdict verdict;
  };
  constexpr auto kForms = std::to_array<Form>({{"A>>B", {1, true}},
                                               {"A>B", {1, false}},
                                               {"A=B", {0.5, false}},
                                               {"B=A", {0.5, false}},
                                               {"B>A", {0, false}},
                                               {"B>>A", {0, true}},
                                               {"A<<B", {0, true}},
                                               {"A<B", {0, false}},
                                               {"B<A", {1, false}},
                                               {"B<<A", {1, true}}});
  const auto* form =
      std::find_if(kForms.begin(), kForms.end(), [&](const Form& one) { return one.text == *verdict; });
  if (form == kForms.end()) return std::nullopt;
  return form->verdict;
}

std::optional<double> read_preference(std::string_view reply) {
  const std::string_view text = trim(without_thinking(reply).value_or(""));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size())
    return value >= 1 && value <= 2 ? std::optional<double>(value) : std::nullopt;
  const size_t first = last_word(text, "m"), second = last_word(text, "M");
  if (first == second) return std::nullopt;  // neither
  if (first == std::string_view::npos) return 2;
  if (second == std::string_view::npos) return 1;
  return first > second ? 1 : 2;
}

}  // namespace r1::grade
