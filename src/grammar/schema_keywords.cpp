#include "grammar/schema_keywords.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "grammar/formats.h"

namespace r1::grammar {
namespace {

constexpr double kMaxCount = 1e15;
constexpr std::array kTypeNames = {"string", "number", "boolean", "null", "object", "array"};

struct Keyword {
  const char* name;
  ValueType type;
};
constexpr Keyword kTyped[] = {{"minLength", ValueType::string},
                              {"maxLength", ValueType::string},
                              {"pattern", ValueType::string},
                              {"minimum", ValueType::number},
                              {"maximum", ValueType::number},
                              {"exclusiveMinimum", ValueType::number},
                              {"exclusiveMaximum", ValueType::number},
                              {"multipleOf", ValueType::number},
                              {"items", ValueType::array},
                              {"prefixItems", ValueType::array},
                              {"additionalItems", ValueType::array},
                              {"minItems", ValueType::array},
                              {"maxItems", ValueType::array},
                              {"uniqueItems", ValueType::array},
                              {"contains", ValueType::array},
                              {"unevaluatedItems", ValueType::array},
                              {"properties", ValueType::object},
                              {"patternProperties", ValueType::object},
                              {"additionalProperties", ValueType::object},
                              {"required", ValueType::object},
                              {"propertyNames", ValueType::object},
                              {"minProperties", ValueType::object},
                              {"maxProperties", ValueType::object},
                              {"dependencies", ValueType::object},
                              {"dependentRequired", ValueType::object},
                              {"dependentSchemas", ValueType::object},
                              {"unevaluatedProperties", ValueType::object}};

}  // namespace

ValueType type_of(const Schema& value) {
  if (value.is_string()) return ValueType::string;
  if (value.is_boolean()) return ValueType::boolean;
  if (value.is_null()) return ValueType::null;
  if (value.is_object()) return ValueType::object;
  if (value.is_array()) return ValueType::array;
  return ValueType::number;
}

bool is_integer(const Schema& value) {
  return value.is_number_integer() ||
         (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

void Keywords::malformed(const Schema& schema, const std::string& keyword, std::string_view what) const {
  throw_error(ErrorKind::invalid_argument, "{}{}{}: {}", document_->path(schema), keyword.empty() ? "" : ".",
              keyword, what);
}

void Keywords::unsupported(const Schema& schema, const std::string& keyword, std::string_view what) const {
  throw_error(ErrorKind::unsupported, "{}: \"{}\" {}", document_->path(schema), keyword, what);
}

void Keywords::check(const Schema& schema) const {
  if (schema.is_boolean()) return;
  if (!schema.is_object()) malformed(schema, "", "expected a schema (an object, true or false)");
  for (const char* name : {"$dynamicRef", "$recursiveRef"}) {
    if (schema.contains(name)) unsupported(schema, name, "is not supported");
  }
  const auto draft =
      document_->root().is_object() ? document_->root().find("$schema") : document_->root().end();
  if (document_->root().is_object() && draft != document_->root().end() && draft->is_string() &&
      draft->get_ref<const std::string&>().find("draft-03") != std::string::npos) {
    for (const char* name : {"extends", "disallow", "divisibleBy"}) {
      if (schema.contains(name)) unsupported(schema, name, "of draft 3 is not supported");
    }
  }
}

TypeRule Keywords::type(const Schema& schema) const {
  TypeRule rule;
  const auto found = schema.find("type");
  if (found == schema.end()) return rule;
  rule.present = true;
  std::ranges::fill(rule.allows, false);
  bool integers = false, numbers = false;
  const auto add = [&](const Schema& type) {
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    if (name == "integer") {
      integers = true;
      return;
    }
    const auto* const place = std::ranges::find(kTypeNames, name);
    if (place == kTypeNames.end())
      malformed(schema, "type", "expected one of string, number, integer, boolean, null, object, array");
    rule.allows[place - kTypeNames.begin()] = true;
    numbers = numbers || name == "number";
  };
  if (found->is_array()) {
    if (found->empty()) malformed(schema, "type", "expected at least one type");
    for (const Schema& one : *found) add(one);
  } else {
    add(*found);
  }
  rule.integers_only = integers && !numbers;
  if (integers) rule.allows[static_cast<int>(ValueType::number)] = true;
  // OpenAPI 3.0's word.
  if (const auto nullable = schema.find("nullable"); nullable != schema.end() && *nullable == true)
    rule.allows[static_cast<int>(ValueType::null)] = true;
  return rule;
}

std::optional<int64_t> Keywords::count(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return std::nullopt;
  if (!found->is_number() || !is_integer(*found) || found->get<double>() < 0)
    malformed(schema, name, "expected an integer from 0 on");
  return static_cast<int64_t>(std::min(found->get<double>(), kMaxCount));
}

const Schema* Keywords::number(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return nullptr;
  if (!found->is_number()) malformed(schema, name, "expected a number");
  return &*found;
}

std::optional<std::string> Keywords::text(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return std::nullopt;
  if (!found->is_string()) malformed(schema, name, "expected a text");
  return found->get<std::string>();
}

const Schema* Keywords::object(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return nullptr;
  if (!found->is_object()) malformed(schema, name, "expected an object");
  return &*found;
}

const Schema* Keywords::list(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return nullptr;
  if (!found->is_array()) malformed(schema, name, "expected a list");
  return &*found;
}

std::vector<std::string> Keywords::names(const Schema& schema, const char* name) const {
  std::vector<std::string> out;
  const Schema* found = list(schema, name);
  if (found == nullptr) return out;
  for (const Schema& one : *found) {
    if (!one.is_string()) malformed(schema, name, "expected a list of names");
    out.push_back(one.get<std::string>());
  }
  return out;
}

bool Keywords::flag(const Schema& schema, const char* name) const {
  const auto found = schema.find(name);
  if (found == schema.end()) return false;
  if (!found->is_boolean()) malformed(schema, name, "expected true or false");
  return found->get<bool>();
}

bool Keywords::has_rules_of(const Schema& schema, ValueType type) const {
  for (const Keyword& keyword : kTyped) {
    if (keyword.type == type && schema.contains(keyword.name)) return true;
  }
  const auto format = schema.find("format");
  if (format == schema.end() || !format->is_string()) return false;
  const auto& name = format->get_ref<const std::string&>();
  if (type == ValueType::string) return knows_format(name);
  return type == ValueType::number && (name == "int32" || name == "int64");
}

Keywords::Items Keywords::items(const Schema& schema) const {
  Items out;
  const auto items = schema.find("items");
  const bool tuple = items != schema.end() && items->is_array();  // until 2019-09
  const Schema* prefix = tuple ? &*items : list(schema, "prefixItems");
  if (prefix != nullptr) {
    for (const Schema& one : *prefix) out.prefix.push_back(&one);
  }
  if (tuple) {
    if (const auto rest = schema.find("additionalItems"); rest != schema.end()) out.rest = &*rest;
  } else if (items != schema.end()) {
    out.rest = &*items;
  }
  return out;
}

}  // namespace r1::grammar
