#include "grammar/json_rules.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

constexpr int64_t kIndentation = 32;   // columns; without a limit a model may write white space for ever
constexpr size_t kLongestName = 1024;  // in bytes, of those in a tree that is walked by recursion
constexpr uint64_t kLargest = 999'999'999'999'999;  // of integers: 15 digits, exact in a double

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
  const auto hex = [&](const char* pattern) { return add_regex(builder_, pattern, RegexUse::plain, false); };
  return builder_.either({builder_.characters({{' ', '!'}, {'#', '['}, {']', 0x10FFFF}}),
                          hex("\\\\[\"\\\\/bfnrt]"),
                          // A lone surrogate is no character.
                          hex("\\\\u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})")});
}

Fragment JsonRules::make_string() {
  return builder_.sequence(
      {builder_.literal("\""), builder_.any_number(character()), builder_.literal("\"")});
}

Fragment JsonRules::make_integer() {
  return add_regex(builder_, "-?(?:0|[1-9][0-9]{0,15})", RegexUse::plain, false);
}

Fragment JsonRules::make_number() {
  return add_regex(builder_, "-?(?:0|[1-9][0-9]{0,15})(?:\\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?",
                   RegexUse::plain, false);
}

Fragment JsonRules::string_of_length(int64_t low, int64_t high) {
  return builder_.sequence({builder_.literal("\""), builder_.repeat(low, high, [&] { return character(); }),
                            builder_.literal("\"")});
}

RuleId JsonRules::any_value_rule() {
  if (value_ >= 0) return value_;
  value_ = builder_.declare_rule();
  builder_.define_rule(
      value_, builder_.either({string(), number(), builder_.literal("true"), builder_.literal("false"),
                               builder_.literal("null"), any_object(), any_array()}));
  return value_;
}

Fragment JsonRules::any_value() {
  return builder_.call(any_value_rule());
}

Fragment JsonRules::any_array() {
  if (array_ < 0) {
    array_ = builder_.declare_rule();
    builder_.define_rule(array_, list('[', any_value_rule(), 0, -1, ']'));
  }
  return builder_.call(array_);
}

Fragment JsonRules::any_object() {
  if (object_ < 0) {
    object_ = builder_.declare_rule();
    const RuleId pair = builder_.add_rule(
        builder_.sequence({string(), builder_.literal(":"), space(), builder_.call(any_value_rule())}));
    builder_.define_rule(object_, list('{', pair, 0, -1, '}'));
  }
  return builder_.call(object_);
}

Fragment JsonRules::list(char open, RuleId item, int64_t low, int64_t high, char close) {
  const auto next = [&] { return builder_.sequence({builder_.literal(","), space(), builder_.call(item)}); };
  const Fragment begin = builder_.sequence({builder_.literal(std::string_view(&open, 1)), space()});
  Fragment items = builder_.empty();
  if (high != 0) {
    items = builder_.sequence({builder_.call(item),
                               builder_.repeat(std::max<int64_t>(0, low - 1), high < 0 ? -1 : high - 1, next),
                               space()});
    if (low == 0) items = builder_.optional(items);
  }
  return builder_.sequence({begin, items, builder_.literal(std::string_view(&close, 1))});
}

Fragment JsonRules::key_except(const std::vector<std::string>& taken) {
  // A tree of the taken names: a key may leave it anywhere, and may end anywhere but at a name. Such keys are
  // written without escapes, so that no name has a second form.
  struct Node {
    std::map<char, Node> children;
    bool is_name = false;
  };
  Node root;
  for (const std::string& name : taken) {
    if (name.size() > kLongestName)
      throw_error(ErrorKind::unsupported,
                  "schema: a property's name of {} bytes beside additional ones: expected at most {}",
                  name.size(), kLongestName);
    Node* at = &root;
    for (const char c : name) at = &at->children[c];
    at->is_name = true;
  }
  const auto plain = [&] { return builder_.characters({{' ', '!'}, {'#', '['}, {']', 0x10FFFF}}); };
  const StateId quote = builder_.add_state(), end = builder_.add_state();
  builder_.add_edge(quote, {Edge::Kind::bytes, '"', '"', -1, end});
  const Fragment rest = builder_.any_number(plain());
  builder_.link(rest.end, quote);
  const auto add = [&](const auto& self, const Node& node) -> StateId {
    const StateId at = builder_.add_state();
    if (!node.is_name) builder_.link(at, quote);
    for (const auto& [c, child] : node.children) {
      const auto byte = static_cast<uint8_t>(c);
      builder_.add_edge(at, {Edge::Kind::bytes, byte, byte, -1, self(self, child)});
    }
    // A character that no child begins with: of the printable ASCII ones, which no longer character contains.
    for (int c = ' '; c < 0x7F; ++c) {
      if (c == '"' || c == '\\' || node.children.contains(static_cast<char>(c))) continue;
      const auto byte = static_cast<uint8_t>(c);
      builder_.add_edge(at, {Edge::Kind::bytes, byte, byte, -1, rest.start});
    }
    return at;
  };
  return {builder_.sequence({builder_.literal("\""), {add(add, root), end}}).start, end};
}

/// Decimal numbers of one length, digit by digit.
Fragment JsonRules::digits_between(const std::string& low, const std::string& high) {
  const auto digit = [&](char first, char last) {
    return builder_.bytes(static_cast<uint8_t>(first), static_cast<uint8_t>(last));
  };
  const auto any = [&](size_t count) {
    return builder_.repeat(static_cast<int64_t>(count), static_cast<int64_t>(count),
                           [&] { return digit('0', '9'); });
  };
  if (low.find_first_not_of('0') == low.npos && high.find_first_not_of('9') == high.npos)
    return any(low.size());
  const size_t rest = low.size() - 1;
  if (low[0] == high[0])
    return builder_.sequence({digit(low[0], low[0]), digits_between(low.substr(1), high.substr(1))});
  std::vector<Fragment> parts = {
      builder_.sequence({digit(low[0], low[0]), digits_between(low.substr(1), std::string(rest, '9'))}),
      builder_.sequence({digit(high[0], high[0]), digits_between(std::string(rest, '0'), high.substr(1))})};
  if (high[0] - low[0] > 1) {
    parts.push_back(
        builder_.sequence({digit(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), any(rest)}));
  }
  return builder_.either(parts);
}

Fragment JsonRules::magnitude_between(uint64_t low, uint64_t high) {
  std::vector<Fragment> parts;
  while (true) {
    const std::string from = std::to_string(low);
    const uint64_t longest = static_cast<uint64_t>(std::stoull(std::string(from.size(), '9')));
    const uint64_t to = std::min(high, longest);
    parts.push_back(digits_between(from, std::to_string(to)));
    if (to == high) break;
    low = to + 1;
  }
  return builder_.either(parts);
}

Fragment JsonRules::integer_between(std::optional<int64_t> low, std::optional<int64_t> high) {
  const auto limit = static_cast<int64_t>(kLargest);
  const int64_t from = std::max(low.value_or(-limit), -limit), to = std::min(high.value_or(limit), limit);
  if (from > to)
    throw_error(ErrorKind::unsupported, "schema: no integer from {} to {} of at most 15 digits", from, to);
  std::vector<Fragment> parts;
  if (to >= 0)
    parts.push_back(
        magnitude_between(static_cast<uint64_t>(std::max<int64_t>(0, from)), static_cast<uint64_t>(to)));
  if (from < 0) {
    const int64_t nearest = std::min<int64_t>(-1, to);
    parts.push_back(
        builder_.sequence({builder_.literal("-"), magnitude_between(static_cast<uint64_t>(-nearest),
                                                                    static_cast<uint64_t>(-from))}));
  }
  return builder_.either(parts);
}

Fragment JsonRules::fraction() {
  return add_regex(builder_, "\\.[0-9]{1,16}", RegexUse::plain, false);
}

Fragment JsonRules::number_between(std::optional<double> low, bool low_excluded, std::optional<double> high,
                                   bool high_excluded) {
  constexpr auto kLimit = static_cast<double>(kLargest);
  const double from = std::max(low.value_or(-kLimit), -kLimit), to = std::min(high.value_or(kLimit), kLimit);
  std::vector<Fragment> parts;
  // Whole numbers.
  double first = std::ceil(from), last = std::floor(to);
  if (low_excluded && first == from) ++first;
  if (high_excluded && last == to) --last;
  if (first <= last)
    parts.push_back(integer_between(static_cast<int64_t>(first), static_cast<int64_t>(last)));
  // With a fraction: n.f lies between n and n + 1, both of which must lie in the range; -n.f likewise. A
  // lower bound that is excluded would be met by n.000.
  const double n_low = std::max(0.0, low_excluded && std::ceil(from) == from ? from + 1 : std::ceil(from));
  const double n_high = std::floor(to) - 1;
  if (n_low <= n_high) {
    parts.push_back(builder_.sequence(
        {magnitude_between(static_cast<uint64_t>(n_low), static_cast<uint64_t>(n_high)), fraction()}));
  }
  const double m_low = std::max(0.0, high_excluded && std::ceil(-to) == -to ? -to + 1 : std::ceil(-to));
  const double m_high = std::floor(-from) - 1;
  if (m_low <= m_high) {
    parts.push_back(builder_.sequence(
        {builder_.literal("-"),
         magnitude_between(static_cast<uint64_t>(m_low), static_cast<uint64_t>(m_high)), fraction()}));
  }
  if (parts.empty())
    throw_error(ErrorKind::unsupported, "schema: a range of numbers between two neighbouring integers");
  return builder_.either(parts);
}

}  // namespace r1::grammar
