// Strings and numbers: the rules of a case become one automaton.
#include <algorithm>

#include "base/error.h"
#include "grammar/formats.h"
#include "grammar/numbers.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_compiler.h"

namespace r1::grammar {
namespace {

// Of strings with a pattern: a longer limit would be there once for each of the pattern's states.
constexpr int64_t kMaxPatternCharacters = 8'192;

}  // namespace

SchemaCompiler::Lengths SchemaCompiler::lengths_of(const Case& one) const {
  Lengths out;
  for (const Case::Rules& rules : one.rules) {
    if (const auto low = keywords_.count(*rules.schema, "minLength")) out.low = std::max(out.low, *low);
    if (const auto high = keywords_.count(*rules.schema, "maxLength"))
      out.high = out.high < 0 ? *high : std::min(out.high, *high);
  }
  return out;
}

/// At least all strings that keep the schema's rules.
Automaton SchemaCompiler::widest_strings(const Schema& schema) {
  Automaton all = any_text(budget_);
  if (const auto pattern = keywords_.text(schema, "pattern"))
    all = intersection(all, strings_.pattern(*pattern, document_.path(schema) + ".pattern"), budget_);
  if (const auto format = keywords_.text(schema, "format"); format && knows_format(*format))
    all = intersection(all, strings_.wide_format(*format), budget_);
  const auto low = keywords_.count(schema, "minLength"), high = keywords_.count(schema, "maxLength");
  if (low || high)
    all = intersection(all, text_of_length(low.value_or(0), high.value_or(-1), budget_), budget_);
  return all;
}

std::optional<Automaton> SchemaCompiler::string_automaton(const Case& one) {
  std::optional<Automaton> all;
  const auto add = [&](const Automaton& more) {
    // An expression that matches everywhere is no rule.
    if (more.deterministic && more.size() < 20 && difference(any_text(budget_), more, budget_).empty())
      return;
    if (all) {
      all = intersection(*all, more, budget_);
    } else {
      all = more;
    }
  };
  // The same rules from several schemas count once.
  std::set<std::string> patterns, formats;
  for (const Case::Rules& rules : one.rules) {
    const std::string path = document_.path(*rules.schema) + ".pattern";
    if (const auto pattern = keywords_.text(*rules.schema, "pattern");
        pattern && patterns.insert(*pattern).second)
      add(strings_.pattern(*pattern, path));
    if (const auto format = keywords_.text(*rules.schema, "format");
        format && knows_format(*format) && formats.insert(*format).second)
      add(strings_.format(*format));
  }
  if (!all && one.broken.empty() && one.excluded.empty()) return std::nullopt;
  if (!all) all = any_text(budget_);
  for (const Schema* schema : one.broken) all = difference(*all, widest_strings(*schema), budget_);
  std::vector<std::string> excluded;
  for (const Schema* schema : one.excluded) {
    const auto exclude = [&](const Schema& value) {
      if (value.is_string()) excluded.push_back(value.get<std::string>());
    };
    if (const auto found = schema->find("const"); found != schema->end()) exclude(*found);
    if (const Schema* list = keywords_.list(*schema, "enum")) std::ranges::for_each(*list, exclude);
  }
  if (!excluded.empty()) all = difference(*all, one_of(std::move(excluded), budget_), budget_);
  Lengths lengths = lengths_of(one);
  if (lengths.high > kMaxPatternCharacters) lengths.high = std::max(kMaxPatternCharacters, lengths.low);
  if (lengths.low > 0 || lengths.high >= 0) all = of_length(*all, lengths.low, lengths.high, budget_);
  return all;
}

Automaton SchemaCompiler::strings_of(const Conjunction& conjunction) {
  Automaton all{{{}}, {0}, true};
  for (const Case& one : cases_.expand(conjunction, ValueType::string)) {
    Automaton more;
    if (!one.values.empty()) {
      std::vector<std::string> texts;
      for (const std::string& text : constants(conjunction, ValueType::string, one))
        texts.push_back(Schema::parse(text).get<std::string>());
      more = one_of(std::move(texts), budget_);
    } else if (std::optional<Automaton> automaton = string_automaton(one)) {
      more = *std::move(automaton);
    } else {
      const Lengths lengths = lengths_of(one);
      more = text_of_length(lengths.low, lengths.high, budget_);
    }
    all = united(all, more, budget_);
  }
  return all;
}

Fragment SchemaCompiler::make_string(const Case& one) {
  std::string key = "string";
  const auto remember = [&](const Schema& schema) {
    for (const char* name : {"pattern", "format", "minLength", "maxLength"}) {
      if (const auto found = schema.find(name); found != schema.end()) key += name + found->dump();
    }
    key += ';';
  };
  for (const Case::Rules& rules : one.rules) remember(*rules.schema);
  const bool simple = one.broken.empty() && one.excluded.empty();
  if (simple) {
    if (const auto known = scalar_rules_.find(key); known != scalar_rules_.end())
      return builder_.call(known->second);
  }
  const std::optional<Automaton> automaton = string_automaton(one);
  if (!automaton) {
    const Lengths lengths = lengths_of(one);
    if (lengths.low == 0 && lengths.high < 0) return json_.string();
    return json_.string_of_length(lengths.low, lengths.high);
  }
  const RuleId rule = builder_.add_rule(builder_.sequence(
      {builder_.literal("\""), add_json_text(builder_, *automaton), builder_.literal("\"")}));
  if (simple) scalar_rules_.emplace(std::move(key), rule);
  return builder_.call(rule);
}

namespace {

struct NumberSizes {
  int64_t whole = 15, fraction = 15;  // digits that are written
  void see(const Decimal& bound) {
    whole = std::max(whole, static_cast<int64_t>(bound.whole.size()) + (bound.whole.size() >= 15 ? 1 : 0));
    if (!bound.fraction.empty())
      fraction = std::max(fraction, static_cast<int64_t>(bound.fraction.size()) + 2);
  }
};

NumberRules number_rules(const Keywords& keywords, const Schema& schema, NumberSizes& sizes) {
  NumberRules rules;
  const auto narrow_low = [&](const Decimal& bound, bool excluded) {
    sizes.see(bound);
    rules.low = bound;
    rules.low_excluded = excluded;
  };
  const auto narrow_high = [&](const Decimal& bound, bool excluded) {
    sizes.see(bound);
    rules.high = bound;
    rules.high_excluded = excluded;
  };
  const auto strict = [&](const char* name) {  // draft 4: true beside the bound
    const auto found = schema.find(name);
    return found != schema.end() && found->is_boolean() && found->get<bool>();
  };
  const Schema* low = keywords.number(schema, "minimum");
  const Schema* high = keywords.number(schema, "maximum");
  if (low != nullptr) narrow_low(Decimal::of(*low), strict("exclusiveMinimum"));
  if (high != nullptr) narrow_high(Decimal::of(*high), strict("exclusiveMaximum"));
  const auto above = schema.find("exclusiveMinimum"), below = schema.find("exclusiveMaximum");
  if (above != schema.end() && !above->is_boolean()) {
    const Schema* bound = keywords.number(schema, "exclusiveMinimum");
    if (low == nullptr || bound->get<double>() >= low->get<double>()) narrow_low(Decimal::of(*bound), true);
  }
  if (below != schema.end() && !below->is_boolean()) {
    const Schema* bound = keywords.number(schema, "exclusiveMaximum");
    if (high == nullptr || bound->get<double>() <= high->get<double>())
      narrow_high(Decimal::of(*bound), true);
  }
  if (const Schema* divisor = keywords.number(schema, "multipleOf")) {
    if (divisor->get<double>() <= 0) keywords.malformed(schema, "multipleOf", "expected a number above 0");
    rules.multiple_of.push_back(Decimal::of(*divisor));
  }
  return rules;
}

}  // namespace

/// Numbers without an exponent; nullopt: any.
std::optional<Automaton> SchemaCompiler::number_automaton(const Case& one) {
  std::vector<NumberRules> keep, broken;
  NumberSizes sizes;
  bool integer = one.integers_only;
  for (const Case::Rules& rules : one.rules) {
    NumberRules made = number_rules(keywords_, *rules.schema, sizes);
    if (const auto format = keywords_.text(*rules.schema, "format")) {
      // As ajv-formats has them.
      NumberRules range;
      if (*format == "int32")
        range.low = Decimal{true, "2147483648", ""}, range.high = Decimal{false, "2147483647", ""};
      if (*format == "int32" || *format == "int64") integer = true;
      if (range.low) keep.push_back(range);
    }
    if (made.low || made.high || !made.multiple_of.empty()) keep.push_back(std::move(made));
  }
  for (const Schema* schema : one.broken) {
    broken.push_back(number_rules(keywords_, *schema, sizes));
    broken.back().integer = keywords_.type(*schema).integers_only;
  }
  std::vector<Decimal> excluded;
  for (const Schema* schema : one.excluded) {
    const auto exclude = [&](const Schema& value) {
      if (!value.is_number()) return;
      excluded.push_back(Decimal::of(value));
      sizes.see(excluded.back());
    };
    if (const auto found = schema->find("const"); found != schema->end()) exclude(*found);
    if (const Schema* list = keywords_.list(*schema, "enum")) std::ranges::for_each(*list, exclude);
  }
  if (keep.empty() && broken.empty() && excluded.empty()) return std::nullopt;
  Automaton all = number_form(integer, sizes.whole, sizes.fraction, budget_);
  try {
    // -0 is left out, which no rule tells from 0.
    if (keep.empty()) keep.emplace_back();
    for (const NumberRules& rules : keep) all = intersection(all, number_set(rules, budget_), budget_);
    for (const NumberRules& rules : broken) all = difference(all, number_set(rules, budget_), budget_);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    const Schema& where = one.rules.empty() ? *one.broken.front() : *one.rules.front().schema;
    throw_error(error.kind(), "{}: {}: not supported", document_.path(where), error.what());
  }
  for (const Decimal& number : excluded) all = difference(all, number_texts(number, budget_), budget_);
  return all;
}

Fragment SchemaCompiler::make_number(const Case& one) {
  std::string key = one.integers_only ? "integer" : "number";
  for (const Case::Rules& rules : one.rules) {
    for (const char* name :
         {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"}) {
      if (const auto found = rules.schema->find(name); found != rules.schema->end())
        key += name + found->dump();
    }
    key += ';';
  }
  const bool simple = one.broken.empty() && one.excluded.empty();
  if (simple) {
    if (const auto known = scalar_rules_.find(key); known != scalar_rules_.end())
      return builder_.call(known->second);
  }
  bool integer = one.integers_only;
  for (const Case::Rules& rules : one.rules) {
    const auto format = keywords_.text(*rules.schema, "format");
    integer = integer || (format && (*format == "int32" || *format == "int64"));
  }
  const std::optional<Automaton> automaton = number_automaton(one);
  if (!automaton) return integer ? json_.integer() : json_.number();
  const RuleId rule = builder_.add_rule(add_text(builder_, *automaton));
  if (simple) scalar_rules_.emplace(std::move(key), rule);
  return builder_.call(rule);
}

}  // namespace r1::grammar
