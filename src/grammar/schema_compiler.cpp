#include "grammar/schema_compiler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {

SchemaCompiler::SchemaCompiler(GrammarBuilder& builder, JsonRules& json, const Schema& root,
                               const std::string& name)
    : builder_(builder),
      budget_(builder.budget()),
      json_(json),
      document_(root, name, budget_),
      keywords_(document_),
      strings_(budget_),
      cases_(document_, keywords_, strings_, budget_),
      validator_(document_, keywords_, cases_, strings_, budget_) {}

Fragment SchemaCompiler::compile() {
  const RuleId root = rule_of({{&document_.root()}});
  while (!open_.empty()) {
    const auto [rule, conjunction] = std::move(open_.front());
    open_.pop_front();
    builder_.name_rule(rule, document_.path(*conjunction.front().schema));
    try {
      builder_.define_rule(rule, make(conjunction));
    } catch (const Error& error) {
      const std::string path = document_.path(*conjunction.front().schema);
      const std::string_view message = error.what();
      if (message.find(document_.path(document_.root())) != message.npos) throw;
      throw_error(error.kind(), "{}: {}", path, message);
    }
  }
  if (root == kNothing)
    throw_error(ErrorKind::unsupported, "{}: a schema that nothing fits", document_.path(document_.root()));
  return builder_.call(root);
}

RuleId SchemaCompiler::rule_of(const Conjunction& conjunction) {
  Key key;
  Conjunction kept;
  for (const Literal& literal : conjunction) {
    if (literal.schema->is_boolean()) {
      if (literal.schema->get<bool>() == literal.negated) return kNothing;
      continue;
    }
    key.push_back({literal.schema, literal.negated});
    kept.push_back(literal);
  }
  if (kept.empty()) return json_.any_value();
  std::ranges::sort(key);
  key.erase(std::unique(key.begin(), key.end()), key.end());
  const auto known = rules_.find(key);
  if (known != rules_.end()) return known->second;
  for (size_t i = 1; i < key.size(); ++i) {
    if (std::get<0>(key[i]) == std::get<0>(key[i - 1])) return kNothing;  // holds and does not
  }
  budget_.add_bytes(static_cast<int64_t>(key.size() * 64) + 200);
  const RuleId rule = builder_.declare_rule();
  rules_.emplace(std::move(key), rule);
  open_.push_back({rule, std::move(kept)});
  return rule;
}

std::vector<std::pair<ValueType, Case>> SchemaCompiler::cases_of(const Conjunction& conjunction) {
  std::vector<std::pair<ValueType, Case>> all, narrow;
  for (const ValueType type : kValueTypes) {
    for (Case& one : cases_.expand(conjunction, type)) {
      const bool meant = one.has_type || !one.speaks_of_others || !one.rules.empty() || !one.broken.empty() ||
                         !one.obligations.empty();
      if (meant) narrow.push_back({type, one});
      all.push_back({type, std::move(one)});
    }
  }
  return narrow.empty() ? all : narrow;
}

Fragment SchemaCompiler::make(const Conjunction& conjunction) {
  std::vector<Fragment> parts;
  for (const auto& [type, one] : cases_of(conjunction)) parts.push_back(make_case(conjunction, type, one));
  return parts.empty() ? builder_.nothing() : builder_.either(parts);
}

Fragment SchemaCompiler::make_case(const Conjunction& conjunction, ValueType type, const Case& one) {
  if (!one.values.empty() || type == ValueType::boolean || type == ValueType::null) {
    std::vector<std::string> texts = constants(conjunction, type, one);
    if (texts.empty()) return builder_.nothing();
    return add_text(builder_, one_of(std::move(texts), budget_));
  }
  switch (type) {
    case ValueType::string:
      return make_string(one);
    case ValueType::number:
      return make_number(one);
    case ValueType::array:
      return make_array(conjunction, one);
    default:
      return make_object(one);
  }
}

bool SchemaCompiler::fits(const Schema& value, const Conjunction& conjunction) {
  return std::ranges::all_of(conjunction, [&](const Literal& literal) {
    return validator_.valid(value, *literal.schema) != literal.negated;
  });
}

/// The values of a case that lists them, as JSON texts.
std::vector<std::string> SchemaCompiler::constants(const Conjunction& conjunction, ValueType type,
                                                   const Case& one) {
  std::vector<const Schema*> candidates;
  static const Schema kTrue = true, kFalse = false, kNull = nullptr;
  if (type == ValueType::boolean) {
    candidates = {&kTrue, &kFalse};
  } else if (type == ValueType::null) {
    candidates = {&kNull};
  } else {
    const Schema& schema = *one.values.front();
    if (const auto found = schema.find("const"); found != schema.end()) {
      candidates = {&*found};
    } else {
      for (const Schema& value : *keywords_.list(schema, "enum")) candidates.push_back(&value);
    }
  }
  std::vector<std::string> texts;
  for (const Schema* value : candidates) {
    if (type_of(*value) != type || !fits(*value, conjunction)) continue;
    texts.push_back(value->dump(-1, ' ', false, Schema::error_handler_t::replace));
    // 2.0 may be written as 2, too.
    if (value->is_number_float() && is_integer(*value) && std::abs(value->get<double>()) < 1e15)
      texts.push_back(std::to_string(value->get<int64_t>()));
    budget_.add_bytes(static_cast<int64_t>(texts.back().size()));
  }
  return texts;
}

std::optional<std::vector<std::string>> SchemaCompiler::texts_of(const Conjunction& conjunction,
                                                                 size_t limit) {
  std::vector<std::string> texts;
  for (const auto& [type, one] : cases_of(conjunction)) {
    if (!one.values.empty() || type == ValueType::boolean || type == ValueType::null) {
      const std::vector<std::string> more = constants(conjunction, type, one);
      texts.insert(texts.end(), more.begin(), more.end());
    } else if (type == ValueType::string || type == ValueType::number) {
      const std::optional<Automaton> automaton =
          type == ValueType::string ? string_automaton(one) : number_automaton(one);
      if (!automaton) return std::nullopt;
      const auto more = enumerate(*automaton, limit);
      if (!more) return std::nullopt;
      for (const std::string& text : *more)
        texts.push_back(type == ValueType::string ? Schema(text).dump() : text);
    } else {
      return std::nullopt;
    }
    if (texts.size() > limit) return std::nullopt;
  }
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

}  // namespace r1::grammar
