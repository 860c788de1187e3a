#include "grade/math/equivalence.h"

#include <algorithm>
#include <string>

#include "grade/math/lexer.h"
#include "grade/math/parser.h"
#include "grade/math/structure.h"
#include "grade/text.h"

namespace r1::grade::math {
namespace {

constexpr size_t kMaxBytes = 20'000;  // of an answer
constexpr int64_t kSteps = 400'000;

/// The text without what has no meaning to a reader: spaces, size commands, braces around all of it.
std::string compact(std::string_view text) {
  std::string out;
  for (const char c : plain_latex(text)) {
    if (!is_space(c)) out += c;
  }
  for (std::string_view end : {".", ",", ";"}) {
    if (out.ends_with(end)) out.resize(out.size() - 1);
  }
  return out;
}

/// Words alone, lower case: "\text{Evelyn}" and "evelyn." are "evelyn". Empty where the text is no words.
std::string words(std::string_view text) {
  std::string plain = plain_latex(text);
  for (std::string_view command :
       {"\\text ", "\\mbox ", "\\textbf ", "\\mathrm ", "\\textit ", "\\mathbf "}) {
    for (size_t at = plain.find(command); at != std::string::npos; at = plain.find(command, at))
      plain.erase(at, command.size());
  }
  std::string out;
  size_t letters = 0;
  for (const char c : plain) {
    if (is_space(c) || c == '{' || c == '}' || c == '.' || c == ',' || c == '"' || c == '\'' || c == '-')
      continue;
    const bool is_letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    const bool is_other = (c >= '0' && c <= '9') || c == ':' || c == '(' || c == ')' || c == '/';
    if (!is_letter && !is_other) return "";
    letters += is_letter ? 1 : 0;
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return letters >= 2 ? out : "";
}

/// "C" of "(C)", "C.", "\text{(C)}", "C: 12"; 0: no letter of a choice.
char choice(std::string_view text) {
  std::string plain;
  for (const char c : compact(text)) {
    if (c != '{' && c != '}') plain += c;
  }
  std::string_view rest = plain;
  for (std::string_view command : {"\\textbf", "\\text", "\\mbox", "\\mathrm", "\\mathbf"}) {
    if (rest.starts_with(command)) rest.remove_prefix(command.size());
  }
  const bool bracket = rest.starts_with('(');
  if (bracket) rest.remove_prefix(1);
  if (rest.empty() || rest[0] < 'A' || rest[0] > 'J') return 0;
  const char letter = rest[0];
  rest.remove_prefix(1);
  if (bracket) return rest == ")" || rest.starts_with(")") ? letter : '\0';
  return rest.empty() || rest[0] == '.' || rest[0] == ':' || rest[0] == ')' ? letter : '\0';
}

/// "3,14" as "3.14"; empty: the text is no such number.
std::string with_decimal_point(std::string_view text) {
  std::string plain = compact(text);
  const size_t comma = plain.find(',');
  if (comma == std::string::npos || comma == 0 || plain.find(',', comma + 1) != std::string::npos) return "";
  const std::string fraction = plain.substr(comma + 1);
  if (fraction.empty() || fraction.size() == 3) return "";
  for (size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i];
    if (!(c >= '0' && c <= '9') && i != comma && !(i == 0 && c == '-')) return "";
  }
  plain[comma] = '.';
  return plain;
}

Equivalence compare_read(std::string_view reference, std::string_view answer, const Reading& reading,
                         Budget& budget) {
  const Node a = parse(reference, reading, budget);
  if (!a) return Equivalence::unknown;
  const Node b = parse(answer, reading, budget);
  if (!b) return Equivalence::unknown;
  return compare_nodes(a, b, budget);
}

/// A value with one trailing letter that the reference lacks ("5 m" beside "5"): the letter is a unit.
std::string without_letter_unit(std::string_view text) {
  std::string plain = plain_latex(text);
  while (!plain.empty() && is_space(plain.back())) plain.pop_back();
  constexpr std::string_view kUnits = "msghLlNJWVAKCFt";
  if (plain.size() < 2 || kUnits.find(plain.back()) == std::string_view::npos) return "";
  const char before = plain[plain.size() - 2];
  if (!(before >= '0' && before <= '9') && before != ' ' && before != '}') return "";
  plain.pop_back();
  return plain;
}

Equivalence compare_in_readings(std::string_view reference, std::string_view answer) {
  bool unknown = false;
  constexpr Reading kReadings[] = {{true}, {false}};
  for (const Reading& reading : kReadings) {
    if (!reading.grouped_thousands && reference.find(',') == std::string_view::npos &&
        answer.find(',') == std::string_view::npos) {
      continue;
    }
    Budget budget(kSteps);
    try {
      const Equivalence result = compare_read(reference, answer, reading, budget);
      if (result == Equivalence::equal) return result;
      unknown |= result == Equivalence::unknown;
    } catch (const BudgetExceeded&) {
      unknown = true;
    }
  }
  return unknown ? Equivalence::unknown : Equivalence::different;
}

}  // namespace

Equivalence compare_answers(std::string_view reference, std::string_view answer) {
  if (reference.size() > kMaxBytes || answer.size() > kMaxBytes) {
    return reference == answer ? Equivalence::equal : Equivalence::unknown;
  }
  const std::string a = compact(reference), b = compact(answer);
  if (a.empty() || b.empty()) return a == b ? Equivalence::equal : Equivalence::different;
  if (a == b) return Equivalence::equal;
  if (const char letter = choice(reference); letter != 0 && choice(answer) != 0) {
    return letter == choice(answer) ? Equivalence::equal : Equivalence::different;
  }
  if (const std::string x = words(reference); !x.empty() && x == words(answer)) return Equivalence::equal;
  const Equivalence result = compare_in_readings(reference, answer);
  if (result == Equivalence::equal) return result;
  for (const auto& [text, other, on_left] :
       {std::tuple(reference, answer, true), std::tuple(answer, reference, false)}) {
    const std::string decimal = with_decimal_point(text);
    if (!decimal.empty() && compact(other).find(',') == std::string::npos) {
      const std::string_view fixed = decimal;
      const Equivalence again =
          on_left ? compare_in_readings(fixed, other) : compare_in_readings(other, fixed);
      if (again == Equivalence::equal) return again;
    }
  }
  if (const std::string bare = without_letter_unit(answer); !bare.empty()) {
    if (compare_in_readings(reference, bare) == Equivalence::equal) return Equivalence::equal;
  }
  if (const std::string bare = without_letter_unit(reference); !bare.empty()) {
    if (compare_in_readings(bare, answer) == Equivalence::equal) return Equivalence::equal;
  }
  return result;
}

}  // namespace r1::grade::math
