// Sets of decimal numbers as automata over the ways to write them without an exponent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grammar/automaton.h"

namespace r1::grammar {

/// ±WHOLE.FRACTION, without zeros that could be left out; WHOLE is "0" at least, FRACTION may be empty.
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction;

  /// Of a JSON number: exact for integers, the shortest form for others.
  static Decimal of(const nlohmann::ordered_json& number);
  bool zero() const { return whole == "0" && fraction.empty(); }
  bool operator==(const Decimal&) const = default;
};

struct NumberRules {
  bool integer = false;
  std::optional<Decimal> low, high;
  bool low_excluded = false, high_excluded = false;
  std::vector<Decimal> multiple_of;  // above 0
};

/// All texts of the numbers that keep the rules: -?INTEGER(.DIGITS)? of any length; -0 is left out. Throws
/// Error(unsupported) for a divisor of too many digits.
Automaton number_set(const NumberRules& rules, Budget& budget);
/// All texts of one number.
Automaton number_texts(const Decimal& number, Budget& budget);
/// Numbers with at most `whole` digits before the point; behind it at most `fraction` ones, none where there
/// are more than 15 digits that count (which is what a double tells apart).
Automaton number_form(bool integer, int64_t whole, int64_t fraction, Budget& budget);

}  // namespace r1::grammar
