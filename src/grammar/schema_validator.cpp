#include "grammar/schema_validator.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/canonical.h"
#include "grammar/formats.h"
#include "grammar/numbers.h"

namespace r1::grammar {
namespace {

constexpr int kMaxDepth = 400;

int64_t characters(const std::string& text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

bool SchemaValidator::among(const Schema& value, const Schema& schema) {
  auto known = enums_.find(&schema);
  if (known == enums_.end()) {
    const Schema* list = keywords_->list(schema, "enum");
    std::set<std::string> texts;
    for (const Schema& one : *list) {
      texts.insert(canonical(one));
      budget_->add_steps(50);
    }
    known = enums_.emplace(&schema, std::move(texts)).first;
  }
  return known->second.contains(canonical(value));
}

bool SchemaValidator::valid(const Schema& value, const Schema& schema, int depth) {
  budget_->add_steps(100);
  if (schema.is_boolean()) return schema.get<bool>();
  if (depth > kMaxDepth)
    throw_error(ErrorKind::invalid_argument, "{}: too complex: more than {} schemas inside of each other",
                document_->path(document_->root()), kMaxDepth);
  if (const Literal* literal = cases_->linked(schema))
    return valid(value, *literal->schema, depth + 1) != literal->negated;
  keywords_->check(schema);
  for (const char* keyword : {"unevaluatedProperties", "unevaluatedItems"}) {
    if (schema.contains(keyword))
      keywords_->unsupported(schema, keyword, "beside constants is not supported");
  }
  const TypeRule types = keywords_->type(schema);
  if (!types.allows[static_cast<int>(type_of(value))]) return false;
  if (value.is_number() && types.integers_only && !is_integer(value)) return false;
  if (const auto found = schema.find("const"); found != schema.end() && canonical(*found) != canonical(value))
    return false;
  if (schema.contains("enum") && !among(value, schema)) return false;
  const auto fits = [&](const Schema& part) { return valid(value, part, depth + 1); };
  if (schema.contains("$ref") && !fits(document_->resolve(schema))) return false;
  if (const Schema* all = keywords_->list(schema, "allOf");
      all != nullptr && !std::ranges::all_of(*all, fits))
    return false;
  if (const Schema* any = keywords_->list(schema, "anyOf");
      any != nullptr && !std::ranges::any_of(*any, fits))
    return false;
  if (const Schema* one = keywords_->list(schema, "oneOf");
      one != nullptr && std::ranges::count_if(*one, fits) != 1)
    return false;
  if (const auto found = schema.find("not"); found != schema.end() && fits(*found)) return false;
  if (const auto found = schema.find("if"); found != schema.end()) {
    const auto next = schema.find(fits(*found) ? "then" : "else");
    if (next != schema.end() && !fits(*next)) return false;
  }
  switch (type_of(value)) {
    case ValueType::string:
      return valid_string(value, schema);
    case ValueType::number:
      return valid_number(value, schema);
    case ValueType::array:
      return valid_array(value, schema, depth);
    case ValueType::object:
      return valid_object(value, schema, depth);
    default:
      return true;
  }
}

bool SchemaValidator::valid_number(const Schema& value, const Schema& schema) {
  const double number = value.get<double>();
  const auto bound = [&](const char* name) { return keywords_->number(schema, name); };
  const auto strict = [&](const char* name) {
    const auto found = schema.find(name);
    return found != schema.end() && *found == true;  // draft 4
  };
  if (const Schema* low = bound("minimum")) {
    if (number < low->get<double>() || (strict("exclusiveMinimum") && number == low->get<double>()))
      return false;
  }
  if (const Schema* high = bound("maximum")) {
    if (number > high->get<double>() || (strict("exclusiveMaximum") && number == high->get<double>()))
      return false;
  }
  const auto low = schema.find("exclusiveMinimum"), high = schema.find("exclusiveMaximum");
  if (low != schema.end() && low->is_number() && number <= low->get<double>()) return false;
  if (high != schema.end() && high->is_number() && number >= high->get<double>()) return false;
  if (const Schema* divisor = bound("multipleOf")) {
    NumberRules rules;
    rules.multiple_of.push_back(Decimal::of(*divisor));
    Decimal decimal = Decimal::of(value);
    const std::string text = (decimal.negative ? "-" : "") + decimal.whole +
                             (decimal.fraction.empty() ? "" : "." + decimal.fraction);
    if (!number_set(rules, *budget_).accepts(text)) return false;
  }
  return true;
}

bool SchemaValidator::valid_string(const Schema& value, const Schema& schema) {
  const auto& text = value.get_ref<const std::string&>();
  if (const auto low = keywords_->count(schema, "minLength"); low && characters(text) < *low) return false;
  if (const auto high = keywords_->count(schema, "maxLength"); high && characters(text) > *high) return false;
  if (const auto pattern = keywords_->text(schema, "pattern")) {
    budget_->add_steps(static_cast<int64_t>(text.size()) * 10);
    if (!strings_->pattern(*pattern, document_->path(schema) + ".pattern").accepts(text)) return false;
  }
  const auto format = keywords_->text(schema, "format");
  return !format || !knows_format(*format) || strings_->format(*format).accepts(text);
}

bool SchemaValidator::valid_array(const Schema& value, const Schema& schema, int depth) {
  const auto count = static_cast<int64_t>(value.size());
  if (const auto low = keywords_->count(schema, "minItems"); low && count < *low) return false;
  if (const auto high = keywords_->count(schema, "maxItems"); high && count > *high) return false;
  const Keywords::Items items = keywords_->items(schema);
  for (size_t i = 0; i < value.size(); ++i) {
    const Schema* part = i < items.prefix.size() ? items.prefix[i] : items.rest;
    if (part != nullptr && !valid(value[i], *part, depth + 1)) return false;
  }
  if (keywords_->flag(schema, "uniqueItems")) {
    std::set<std::string> seen;
    for (const Schema& item : value) {
      if (!seen.insert(canonical(item)).second) return false;
    }
  }
  if (const auto contains = schema.find("contains"); contains != schema.end()) {
    const auto found =
        std::ranges::count_if(value, [&](const Schema& item) { return valid(item, *contains, depth + 1); });
    if (found < keywords_->count(schema, "minContains").value_or(1)) return false;
    if (const auto high = keywords_->count(schema, "maxContains"); high && found > *high) return false;
  }
  return true;
}

bool SchemaValidator::valid_object(const Schema& value, const Schema& schema, int depth) {
  const auto count = static_cast<int64_t>(value.size());
  if (const auto low = keywords_->count(schema, "minProperties"); low && count < *low) return false;
  if (const auto high = keywords_->count(schema, "maxProperties"); high && count > *high) return false;
  for (const std::string& name : keywords_->names(schema, "required")) {
    if (!value.contains(name)) return false;
  }
  const Schema* properties = keywords_->object(schema, "properties");
  const Schema* patterns = keywords_->object(schema, "patternProperties");
  const auto rest = schema.find("additionalProperties"), names = schema.find("propertyNames");
  for (const auto& [name, member] : value.items()) {
    if (names != schema.end() && !valid(Schema(name), *names, depth + 1)) return false;
    bool known = false;
    if (properties != nullptr && properties->contains(name)) {
      known = true;
      if (!valid(member, (*properties)[name], depth + 1)) return false;
    }
    if (patterns != nullptr) {
      for (const auto& [pattern, part] : patterns->items()) {
        if (!strings_->pattern(pattern, document_->path(schema) + ".patternProperties").accepts(name))
          continue;
        known = true;
        if (!valid(member, part, depth + 1)) return false;
      }
    }
    if (!known && rest != schema.end() && !valid(member, *rest, depth + 1)) return false;
  }
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    const Schema* dependencies = keywords_->object(schema, keyword);
    if (dependencies == nullptr) continue;
    for (const auto& [name, rule] : dependencies->items()) {
      if (!value.contains(name)) continue;
      if (!rule.is_array()) {
        if (!valid(value, rule, depth + 1)) return false;
        continue;
      }
      for (const Schema& needed : rule) {
        if (needed.is_string() && !value.contains(needed.get<std::string>())) return false;
      }
    }
  }
  return true;
}

}  // namespace r1::grammar
