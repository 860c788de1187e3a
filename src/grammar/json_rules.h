// The rules that every JSON grammar shares: white space, strings, numbers, any value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grammar/grammar.h"

namespace r1::grammar {

class JsonRules {
 public:
  explicit JsonRules(GrammarBuilder& builder) : builder_(builder) {}

  Fragment space() { return builder_.call(rule(space_, &JsonRules::make_space)); }
  Fragment string() { return builder_.call(rule(string_, &JsonRules::make_string)); }
  Fragment number() { return builder_.call(rule(number_, &JsonRules::make_number)); }
  Fragment integer() { return builder_.call(rule(integer_, &JsonRules::make_integer)); }
  Fragment any_value();
  Fragment any_object();
  Fragment any_array();
  /// A string of `low` to `high` characters (high < 0: without limit).
  Fragment string_of_length(int64_t low, int64_t high);
  /// A key that is none of `taken`.
  Fragment key_except(const std::vector<std::string>& taken);
  /// The integers from `low` to `high`; an absent bound: none.
  Fragment integer_between(std::optional<int64_t> low, std::optional<int64_t> high);
  /// Numbers whose integer part (towards zero) decides: from `low` to `high` as far as that can be said by
  /// whole numbers. Throws Error(unsupported) when no number can.
  Fragment number_between(std::optional<double> low, bool low_excluded, std::optional<double> high,
                          bool high_excluded);
  /// items separated by commas in brackets, `low` to `high` of them. `item`: a rule.
  Fragment list(char open, RuleId item, int64_t low, int64_t high, char close);

 private:
  using Make = Fragment (JsonRules::*)();
  RuleId rule(RuleId& known, Make make);
  Fragment make_space();
  Fragment make_string();
  Fragment make_number();
  Fragment make_integer();
  Fragment make_character();
  Fragment character() { return builder_.call(rule(character_, &JsonRules::make_character)); }
  RuleId any_value_rule();
  Fragment digits_between(const std::string& low, const std::string& high);
  Fragment magnitude_between(uint64_t low, uint64_t high);
  Fragment fraction();

  GrammarBuilder& builder_;
  RuleId space_ = -1, string_ = -1, number_ = -1, integer_ = -1, character_ = -1, value_ = -1, object_ = -1,
         array_ = -1;
};

}  // namespace r1::grammar
