// A plain validator of the JSON Schema keywords that grammars know: written from the specification, by
// looking at the document instead of generating it.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace r1::test {

using Document = nlohmann::ordered_json;

inline size_t characters(const std::string& text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

inline bool has_type(const Document& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "number") return value.is_number();
  return value.is_number_integer() ||
         (value.is_number() && std::trunc(value.get<double>()) == value.get<double>());
}

inline bool is_valid(const Document& value, const Document& schema, const Document& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  const auto has = [&](const char* name) { return schema.contains(name); };
  if (has("$ref") &&
      !is_valid(value, root.at(Document::json_pointer(schema["$ref"].get<std::string>().substr(1))), root))
    return false;
  if (has("type")) {
    bool any = false;
    for (const auto& type : schema["type"].is_array() ? schema["type"] : Document::array({schema["type"]}))
      any = any || has_type(value, type.get<std::string>());
    if (!any) return false;
  }
  if (has("const") && value != schema["const"]) return false;
  if (has("enum")) {
    bool any = false;
    for (const auto& one : schema["enum"]) any = any || one == value;
    if (!any) return false;
  }
  int holding = 0;
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!has(keyword)) continue;
    holding = 0;
    for (const auto& one : schema[keyword]) holding += is_valid(value, one, root) ? 1 : 0;
    if (holding == 0 || (std::string(keyword) == "oneOf" && holding != 1)) return false;
  }
  if (has("allOf")) {
    for (const auto& one : schema["allOf"]) {
      if (!is_valid(value, one, root)) return false;
    }
  }
  if (value.is_string()) {
    const size_t length = characters(value.get<std::string>());
    if (has("minLength") && length < schema["minLength"]) return false;
    if (has("maxLength") && length > schema["maxLength"]) return false;
    if (has("pattern") &&
        !std::regex_search(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>())))
      return false;
  }
  if (value.is_number()) {
    const double number = value;
    if (has("minimum") && number < schema["minimum"]) return false;
    if (has("maximum") && number > schema["maximum"]) return false;
    if (has("exclusiveMinimum") && number <= schema["exclusiveMinimum"]) return false;
    if (has("exclusiveMaximum") && number >= schema["exclusiveMaximum"]) return false;
  }
  if (value.is_array()) {
    if (has("minItems") && value.size() < schema["minItems"]) return false;
    if (has("maxItems") && value.size() > schema["maxItems"]) return false;
    const size_t prefix = has("prefixItems") ? schema["prefixItems"].size() : 0;
    for (size_t i = 0; i < value.size(); ++i) {
      if (i < prefix ? !is_valid(value[i], schema["prefixItems"][i], root)
                     : has("items") && !is_valid(value[i], schema["items"], root))
        return false;
    }
  }
  if (value.is_object()) {
    if (has("required")) {
      for (const auto& name : schema["required"]) {
        if (!value.contains(name.get<std::string>())) return false;
      }
    }
    if (has("minProperties") && value.size() < schema["minProperties"]) return false;
    if (has("maxProperties") && value.size() > schema["maxProperties"]) return false;
    for (const auto& [name, member] : value.items()) {
      if (has("propertyNames") && !is_valid(name, schema["propertyNames"], root)) return false;
      if (has("properties") && schema["properties"].contains(name)) {
        if (!is_valid(member, schema["properties"][name], root)) return false;
      } else if (has("additionalProperties") && !is_valid(member, schema["additionalProperties"], root)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace r1::test
