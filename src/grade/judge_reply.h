// What a judge model's reply decides.
#pragma once

#include <optional>
#include <string_view>

namespace r1::grade {

/// The grade of a factual answer, as SimpleQA names them.
enum class FactGrade { correct, incorrect, not_attempted };

/// A, B or C; the words CORRECT, INCORRECT, NOT_ATTEMPTED and 正确, 错误, 未尝试 are read too. Nothing: the reply decides nothing.
std::optional<FactGrade> read_fact_grade(std::string_view reply);

/// The last TRUE or FALSE (yes or no, correct or incorrect); nothing: neither.
std::optional<bool> read_true_or_false(std::string_view reply);

/// Outcome of a game between assistants A and B.
struct GameVerdict {
  double share = 0.5;   // A's: 1 won, 0.5 a tie, 0 lost
  bool strong = false;  // [[A>>B]] or [[B>>A]]
};
/// The last [[A>>B]], [[A>B]], [[A=B]], [[B>A]] or [[B>>A]], in either direction of the signs; single brackets where no double ones are
/// there (arena-hard-auto, 2025). Nothing: none, or another text inside the last brackets.
std::optional<GameVerdict> read_game(std::string_view reply);

/// AlpacaEval 2: the preference for the second of two outputs, 1 (the first) to 2; "m" is the first, "M" the second.
std::optional<double> read_preference(std::string_view reply);

}  // namespace r1::grade
