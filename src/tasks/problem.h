// One exercise with its worked answer, and the makers of each kind.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/draw.h"
#include "tasks/working.h"

namespace r1::tasks {

enum class Language { english, chinese };

struct Problem {
  std::string kind;
  int level = 0;          // 1 to 4
  std::string canonical;  // the problem whatever its language and wording: what train and test are split by
  std::string question, think, answer;
  /// Turns before the question: (question, answer without its thinking).
  std::vector<std::pair<std::string, std::string>> history{};
  Language language = Language::english;
};

/// What a maker gets.
struct Task {
  Draw& draw;
  int level;  // 1 to 4
  Language language;
  Detail detail;

  bool is_chinese() const { return language == Language::chinese; }
};

/// Canonical forms are expressions of numbers with + - * / ( ), or "a%b" (the remainder), "max(a,b,…)",
/// "min(a,b,…)" of numbers with decimals, "solve:EQUATION" in x, "chat:TOPIC", "a^b", "sqrt(a)", "cbrt(a)", "gcd(a,b)",
/// "lcm(a,b)", "factor(a)", "simplify(a/b)", "next(a,b,…)", "letters(c,WORD)" (c: a letter, "aeiou" or "*" for all),
/// "sort(a,b,…)" in ascending order, "weekday(d±n)" (d: 1 is Monday), "days(M-D,M-D)", "date(M-D+n)",
/// "heads(WHOLES,PARTS,few,many)", "countdown(a,b,…;TARGET)", "knights(PEOPLE;A:CLAIM;…)".
Problem make_calculation(Task& task, std::string_view kind);  // addition, subtraction, … arithmetic
Problem make_chain(Task& task);
Problem make_equation(Task& task);
Problem make_comparison(Task& task);
Problem make_percent(Task& task);
Problem make_unit(Task& task);
Problem make_word_problem(Task& task);
Problem make_chat(Task& task);
Problem make_power(Task& task);
Problem make_root(Task& task);
Problem make_gcd(Task& task);
Problem make_lcm(Task& task);
Problem make_factor(Task& task);
Problem make_fraction(Task& task);
Problem make_sequence(Task& task);
Problem make_letters(Task& task);
Problem make_sorting(Task& task);
Problem make_date(Task& task);
Problem make_heads_and_legs(Task& task);
Problem make_countdown(Task& task);
Problem make_knights(Task& task);

using Values = std::vector<std::pair<std::string_view, std::string>>;

/// `pattern` with each {name} replaced. Throws std::logic_error for a name without a value.
std::string fill(std::string_view pattern, const Values& values);

/// "The answer is \boxed{…}." in the language of the task.
std::string boxed(Language language, std::string_view answer);

/// A problem whose answer is the value of `expression`, worked by Working::solve. `opening`: the first line of the
/// trace, may be empty.
Problem expression_problem(Task& task, std::string_view kind, std::string question,
                           const ExpressionPointer& expression, std::string_view opening = {});

}  // namespace r1::tasks
