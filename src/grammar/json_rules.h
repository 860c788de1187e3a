// The rules that every JSON grammar shares: white space, strings, numbers, any value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace r1::grammar {

class JsonRules {
 public:
  /// Strings of more characters are not written, so that a limit far away costs little.
  static constexpr int64_t kMaxCharacters = 32'768;

  explicit JsonRules(GrammarBuilder& builder) : builder_(builder) {}

  Fragment space() { return builder_.call(rule(space_, &JsonRules::make_space)); }
  Fragment string() { return builder_.call(string_rule()); }
  RuleId string_rule() { return rule(string_, &JsonRules::make_string); }
  Fragment number() { return builder_.call(rule(number_, &JsonRules::make_number)); }
  Fragment integer() { return builder_.call(rule(integer_, &JsonRules::make_integer)); }
  RuleId any_value();
  Fragment any_object();
  Fragment any_array();
  /// A string of `low` to `high` characters (high < 0: without limit).
  Fragment string_of_length(int64_t low, int64_t high);

 private:
  using Make = Fragment (JsonRules::*)();
  RuleId rule(RuleId& known, Make make);
  Fragment make_space();
  Fragment make_string();
  Fragment make_number();
  Fragment make_integer();
  Fragment make_character();
  Fragment character() { return builder_.call(rule(character_, &JsonRules::make_character)); }
  Fragment list(char open, Fragment first, Fragment next, char close);
  StateId at_most(int64_t count);

  GrammarBuilder& builder_;
  RuleId space_ = -1, string_ = -1, number_ = -1, integer_ = -1, character_ = -1, value_ = -1, object_ = -1,
         array_ = -1;
  std::vector<StateId> at_most_;  // states behind which so many characters and the closing quote may follow
  StateId string_end_ = -1;
  std::map<std::pair<int64_t, int64_t>, RuleId> lengths_;
};

}  // namespace r1::grammar
