#include "grammar/json_rules.h"

#include <algorithm>

#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

constexpr int64_t kIndentation = 32;  // columns; without a limit a model may write white space for ever

}  // namespace

RuleId JsonRules::rule(RuleId& known, Make make) {
  if (known < 0) known = builder_.add_rule((this->*make)());
  return known;
}

Fragment JsonRules::make_space() {
  const Fragment indentation =
      builder_.either({builder_.repeat(0, kIndentation, [&] { return builder_.literal(" "); }),
                       builder_.repeat(1, kIndentation / 4, [&] { return builder_.literal("\t"); })});
  return builder_.either(
      {builder_.empty(), builder_.literal(" "), builder_.sequence({builder_.literal("\n"), indentation})});
}

Fragment JsonRules::make_character() {
  // RFC 8259 section 7; a lone surrogate is no character.
  return add_text(builder_, regex_automaton("[ !#-\\[\\]-\\u{10FFFF}]|\\\\(?:[\"\\\\/bfnrt]|"
                                            "u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}))",
                                            false, builder_.budget()));
}

Fragment JsonRules::make_string() {
  return builder_.sequence(
      {builder_.literal("\""), builder_.any_number(character()), builder_.literal("\"")});
}

Fragment JsonRules::make_integer() {
  return add_text(builder_, regex_automaton("-?(?:0|[1-9][0-9]{0,15})", false, builder_.budget()));
}

Fragment JsonRules::make_number() {
  return add_text(
      builder_, regex_automaton("-?(?:0|[1-9][0-9]{0,15})(?:\\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?", false,
                                builder_.budget()));
}

/// One chain of states for all strings: each enters it where as many characters are left as it may have.
StateId JsonRules::at_most(int64_t count) {
  if (at_most_.empty()) {
    string_end_ = builder_.add_state();
    at_most_.push_back(builder_.add_state());
    builder_.add_edge(at_most_[0], {Edge::Kind::bytes, '"', '"', -1, string_end_});
  }
  while (static_cast<int64_t>(at_most_.size()) <= count) {
    const Fragment one = character();
    builder_.add_edge(one.start, {Edge::Kind::bytes, '"', '"', -1, string_end_});
    builder_.link(one.end, at_most_.back());
    at_most_.push_back(one.start);
  }
  return at_most_[count];
}

Fragment JsonRules::string_of_length(int64_t low, int64_t high) {
  if (high > kMaxCharacters) high = std::max(kMaxCharacters, low);
  RuleId& known = lengths_.try_emplace({low, high}, -1).first->second;
  if (known >= 0) return builder_.call(known);
  Fragment whole = builder_.literal("\"");
  const Fragment begin = builder_.repeat(low, low, [&] { return character(); });
  builder_.link(whole.end, begin.start);
  if (high < 0) {
    const Fragment rest = builder_.sequence({builder_.any_number(character()), builder_.literal("\"")});
    builder_.link(begin.end, rest.start);
    whole.end = rest.end;
  } else if (high >= low) {
    builder_.link(begin.end, at_most(high - low));
    whole.end = string_end_;
  } else {
    whole.end = builder_.add_state();  // no string
  }
  known = builder_.add_rule(whole);
  return builder_.call(known);
}

RuleId JsonRules::any_value() {
  if (value_ >= 0) return value_;
  value_ = builder_.declare_rule();
  builder_.define_rule(
      value_, builder_.either({string(), number(), builder_.literal("true"), builder_.literal("false"),
                               builder_.literal("null"), any_object(), any_array()}));
  return value_;
}

Fragment JsonRules::any_array() {
  if (array_ < 0) {
    array_ = builder_.declare_rule();
    const RuleId value = any_value();
    builder_.define_rule(array_, list('[', builder_.call(value), builder_.call(value), ']'));
  }
  return builder_.call(array_);
}

Fragment JsonRules::any_object() {
  if (object_ < 0) {
    object_ = builder_.declare_rule();
    const RuleId value = any_value();
    const auto pair = [&] {
      return builder_.sequence(
          {builder_.call_distinct(string_rule()), builder_.literal(":"), space(), builder_.call(value)});
    };
    builder_.define_rule(object_, list('{', pair(), pair(), '}'));
  }
  return builder_.call(object_);
}

Fragment JsonRules::list(char open, Fragment first, Fragment next, char close) {
  const Fragment more = builder_.any_number(builder_.sequence({builder_.literal(","), space(), next}));
  return builder_.sequence({builder_.literal(std::string_view(&open, 1)), space(),
                            builder_.optional(builder_.sequence({first, more, space()})),
                            builder_.literal(std::string_view(&close, 1))});
}

}  // namespace r1::grammar
