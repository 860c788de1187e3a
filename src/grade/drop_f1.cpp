#include "grade/drop_f1.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "grade/instructions/words.h"
#include "grade/text.h"

namespace r1::grade {
namespace {

constexpr size_t kMaxSpans = 32;
constexpr size_t kMaxAnswerBytes = size_t{1} << 16;  // a span is part of a passage

using Bag = std::set<std::string>;

bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/// What Python's float() reads, "inf" and "nan" too.
std::optional<double> number_of(std::string_view token) {
  token = trim(token);
  if (token.starts_with('+')) token.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  return value;
}

std::string number_text(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

/// Tokens in lower case without articles and punctuation; numbers in one form. As the published script has it: spaces and every hyphen
/// part tokens ("-5" is "5"), and punctuation goes from tokens that are no numbers as they are ("5.5%" is "55").
std::vector<std::string> normal_tokens(std::string_view span) {
  std::vector<std::string> tokens;
  const std::string folded = lower_case(span);
  for (size_t at = 0; at < folded.size();) {
    const size_t end = std::min(folded.find_first_of(" -", at), folded.size());
    std::string token = folded.substr(at, end - at);
    at = end + 1;
    if (!number_of(token)) std::erase_if(token, is_punctuation);
    if (const std::optional<double> number = number_of(token)) {
      tokens.push_back(number_text(*number));
      continue;
    }
    for (size_t place = 0; place < token.size();) {  // other white space inside
      size_t stop = place;
      while (stop < token.size() && !is_space(token[stop])) ++stop;
      const std::string word = token.substr(place, stop - place);
      if (!word.empty() && word != "a" && word != "an" && word != "the") tokens.push_back(word);
      place = stop + 1;
    }
  }
  return tokens;
}

Bag numbers_in(const Bag& bag) {
  Bag numbers;
  for (const std::string& token : bag) {
    if (number_of(token)) numbers.insert(token);
  }
  return numbers;
}

size_t shared(const Bag& a, const Bag& b) {
  return static_cast<size_t>(
      std::count_if(a.begin(), a.end(), [&](const std::string& token) { return b.contains(token); }));
}

double f1_of(const Bag& reference, const Bag& answer) {
  const Bag numbers = numbers_in(reference);
  if (!numbers.empty() && shared(numbers, numbers_in(answer)) == 0) return 0;
  const auto common = static_cast<double>(shared(reference, answer));
  const double precision = answer.empty() ? 1 : common / static_cast<double>(answer.size());
  const double recall = reference.empty() ? 1 : common / static_cast<double>(reference.size());
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

/// The largest sum of an assignment of rows to columns (Kuhn, 1955, in the O(n³) form with potentials).
double best_assignment(const std::vector<std::vector<double>>& scores) {
  const size_t n = std::max(scores.size(), scores.empty() ? 0 : scores[0].size());
  const auto cost = [&](size_t row, size_t column) {
    return row < scores.size() && column < scores[row].size() ? -scores[row][column] : 0.0;
  };
  std::vector<double> rows(n + 1, 0), columns(n + 1, 0);
  std::vector<size_t> match(n + 1, 0), way(n + 1, 0);
  for (size_t row = 1; row <= n; ++row) {
    match[0] = row;
    size_t column = 0;
    std::vector<double> least(n + 1, 1e18);
    std::vector<bool> used(n + 1, false);
    do {
      used[column] = true;
      double delta = 1e18;
      size_t next = 0;
      for (size_t j = 1; j <= n; ++j) {
        if (used[j]) continue;
        const double reduced = cost(match[column] - 1, j - 1) - rows[match[column]] - columns[j];
        if (reduced < least[j]) least[j] = reduced, way[j] = column;
        if (least[j] < delta) delta = least[j], next = j;
      }
      for (size_t j = 0; j <= n; ++j) {
        if (used[j]) {
          rows[match[j]] += delta, columns[j] -= delta;
        } else {
          least[j] -= delta;
        }
      }
      column = next;
    } while (match[column] != 0);
    do {
      const size_t previous = way[column];
      match[column] = match[previous];
      column = previous;
    } while (column != 0);
  }
  double total = 0;
  for (size_t column = 1; column <= n; ++column) total -= cost(match[column] - 1, column - 1);
  return total;
}

struct Spans {
  std::vector<Bag> bags;
  std::multiset<std::string> texts;  // of the whole spans, for the exact match
};

Spans read_spans(const std::vector<std::string>& spans) {
  Spans result;
  for (const std::string& span : spans) {
    if (result.bags.size() == kMaxSpans) break;
    const std::vector<std::string> tokens = normal_tokens(span);
    result.bags.emplace_back(tokens.begin(), tokens.end());
    std::string text;
    for (const std::string& token : tokens) text += (text.empty() ? "" : " ") + token;
    result.texts.insert(text);
  }
  return result;
}

}  // namespace

DropScore score_drop(const std::vector<std::vector<std::string>>& references,
                     const std::vector<std::string>& answer) {
  DropScore best;
  const auto too_long = [](const std::string& span) { return span.size() > kMaxAnswerBytes; };
  if (std::any_of(answer.begin(), answer.end(), too_long)) return best;
  const Spans given = read_spans(answer);
  for (const std::vector<std::string>& reference : references) {
    const Spans wanted = read_spans(reference);
    if (wanted.bags.empty() && given.bags.empty()) continue;
    std::vector<std::vector<double>> scores;
    for (const Bag& bag : wanted.bags) {
      std::vector<double>& row = scores.emplace_back();
      for (const Bag& other : given.bags) row.push_back(f1_of(bag, other));
    }
    const double f1 =
        best_assignment(scores) / static_cast<double>(std::max(wanted.bags.size(), given.bags.size()));
    best.f1 = std::max(best.f1, std::round(f1 * 10'000) / 10'000);  // in per cent with two decimals
    best.exact_match = std::max(best.exact_match, wanted.texts == given.texts ? 1.0 : 0.0);
  }
  return best;
}

std::string drop_answer(std::string_view output) {
  output = without_thinking(output).value_or("");
  const auto plain = [](std::string_view text) {
    for (text = trim(text); !text.empty() && (is_space(text.front()) || text.front() == '*');)
      text.remove_prefix(1);
    while (!text.empty() && (is_space(text.back()) || text.back() == '*')) text.remove_suffix(1);
    return text;
  };
  const std::string folded = lower_ascii(output);
  constexpr std::string_view kAnswer = "answer";
  for (size_t at = folded.find(kAnswer); at != std::string::npos; at = folded.find(kAnswer, at + 1)) {
    size_t next = at + kAnswer.size();
    while (next < output.size() && is_space(output[next])) ++next;
    if (next >= output.size() || output[next] != ':') continue;
    std::string_view rest = output.substr(next + 1);
    while (!rest.empty() && (is_space(rest.front()) || rest.front() == '*')) rest.remove_prefix(1);
    if (!rest.empty()) return std::string(plain(rest.substr(0, rest.find('\n'))));
  }
  return std::string(plain(output));
}

}  // namespace r1::grade
