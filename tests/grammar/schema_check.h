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

/// Without regard to the order of members.
inline bool equal(const Document& a, const Document& b) {
  if (a.is_number() && b.is_number()) return a.get<double>() == b.get<double>();
  if (a.type() != b.type()) return false;
  if (a.is_array()) return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
  if (!a.is_object()) return a == b;
  if (a.size() != b.size()) return false;
  for (const auto& [name, value] : a.items()) {
    if (!b.contains(name) || !equal(value, b[name])) return false;
  }
  return true;
}

inline bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern));
}

/// The formats that the tests use, by their values.
inline bool has_format(const std::string& text, const std::string& format) {
  int year = 0, month = 0, day = 0, end = 0;
  if (format == "date") {
    if (!std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\d)"))) return false;
    std::sscanf(text.c_str(), "%d-%d-%d%n", &year, &month, &day, &end);
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int days[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
  }
  if (format == "time") {
    std::smatch m;
    if (!std::regex_match(text, m, std::regex(R"((\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-](\d\d):(\d\d)))")))
      return false;
    const auto at = [&](int i) { return m[i].matched ? std::stoi(m[i].str()) : 0; };
    return at(1) < 24 && at(2) < 60 && at(3) < 60 && at(6) < 24 && at(7) < 60;
  }
  if (format == "date-time") {
    const size_t t = text.find('T');
    return t != text.npos && has_format(text.substr(0, t), "date") && has_format(text.substr(t + 1), "time");
  }
  if (format == "ipv4") {
    std::smatch m;
    if (!std::regex_match(text, m, std::regex(R"((\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3}))"))) return false;
    for (int i = 1; i <= 4; ++i) {
      if (std::stoi(m[i].str()) > 255 || (m[i].str().size() > 1 && m[i].str()[0] == '0')) return false;
    }
    return true;
  }
  if (format == "hostname") {
    if (text.empty() || text.size() > 253) return false;
    size_t begin = 0;
    while (true) {
      const size_t dot = std::min(text.find('.', begin), text.size());
      const std::string label = text.substr(begin, dot - begin);
      if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
      for (const char c : label) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') return false;
      }
      if (dot == text.size()) return true;
      begin = dot + 1;
    }
  }
  if (format == "uuid")
    return std::regex_match(text, std::regex(R"([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"));
  return true;
}

bool is_valid(const Document& value, const Document& schema, const Document& root);

inline bool object_is_valid(const Document& value, const Document& schema, const Document& root) {
  const auto has = [&](const char* name) { return schema.contains(name); };
  if (has("required")) {
    for (const auto& name : schema["required"]) {
      if (!value.contains(name.get<std::string>())) return false;
    }
  }
  if (has("minProperties") && value.size() < schema["minProperties"]) return false;
  if (has("maxProperties") && value.size() > schema["maxProperties"]) return false;
  for (const auto& [name, member] : value.items()) {
    if (has("propertyNames") && !is_valid(name, schema["propertyNames"], root)) return false;
    bool declared = false;
    if (has("properties") && schema["properties"].contains(name)) {
      declared = true;
      if (!is_valid(member, schema["properties"][name], root)) return false;
    }
    if (has("patternProperties")) {
      for (const auto& [pattern, part] : schema["patternProperties"].items()) {
        if (!matches(name, pattern)) continue;
        declared = true;
        if (!is_valid(member, part, root)) return false;
      }
    }
    if (!declared && has("additionalProperties") && !is_valid(member, schema["additionalProperties"], root))
      return false;
  }
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    if (!has(keyword)) continue;
    for (const auto& [name, rule] : schema[keyword].items()) {
      if (!value.contains(name)) continue;
      if (!rule.is_array()) {
        if (!is_valid(value, rule, root)) return false;
        continue;
      }
      for (const auto& needed : rule) {
        if (!value.contains(needed.get<std::string>())) return false;
      }
    }
  }
  return true;
}

inline bool array_is_valid(const Document& value, const Document& schema, const Document& root) {
  const auto has = [&](const char* name) { return schema.contains(name); };
  if (has("minItems") && value.size() < schema["minItems"]) return false;
  if (has("maxItems") && value.size() > schema["maxItems"]) return false;
  const bool tuple = has("items") && schema["items"].is_array();
  const Document& prefix = tuple                ? schema["items"]
                           : has("prefixItems") ? schema["prefixItems"]
                                                : Document::array();
  const char* rest = tuple ? "additionalItems" : "items";
  for (size_t i = 0; i < value.size(); ++i) {
    if (i < prefix.size() ? !is_valid(value[i], prefix[i], root)
                          : has(rest) && !is_valid(value[i], schema[rest], root))
      return false;
  }
  if (has("uniqueItems") && schema["uniqueItems"] == true) {
    for (size_t i = 0; i < value.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (equal(value[i], value[j])) return false;
      }
    }
  }
  if (has("contains")) {
    size_t count = 0;
    for (const auto& item : value) count += is_valid(item, schema["contains"], root) ? 1 : 0;
    if (count < (has("minContains") ? schema["minContains"].get<size_t>() : 1)) return false;
    if (has("maxContains") && count > schema["maxContains"]) return false;
  }
  return true;
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
  if (has("const") && !equal(value, schema["const"])) return false;
  if (has("enum")) {
    bool any = false;
    for (const auto& one : schema["enum"]) any = any || equal(one, value);
    if (!any) return false;
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!has(keyword)) continue;
    int holding = 0;
    for (const auto& one : schema[keyword]) holding += is_valid(value, one, root) ? 1 : 0;
    if (holding == 0 || (std::string(keyword) == "oneOf" && holding != 1)) return false;
  }
  if (has("allOf")) {
    for (const auto& one : schema["allOf"]) {
      if (!is_valid(value, one, root)) return false;
    }
  }
  if (has("not") && is_valid(value, schema["not"], root)) return false;
  if (has("if")) {
    const char* next = is_valid(value, schema["if"], root) ? "then" : "else";
    if (has(next) && !is_valid(value, schema[next], root)) return false;
  }
  if (value.is_string()) {
    const size_t length = characters(value.get<std::string>());
    if (has("minLength") && length < schema["minLength"]) return false;
    if (has("maxLength") && length > schema["maxLength"]) return false;
    if (has("pattern") && !matches(value.get<std::string>(), schema["pattern"].get<std::string>()))
      return false;
    if (has("format") && !has_format(value.get<std::string>(), schema["format"].get<std::string>()))
      return false;
  }
  if (value.is_number()) {
    const double number = value;
    if (has("minimum") && number < schema["minimum"]) return false;
    if (has("maximum") && number > schema["maximum"]) return false;
    const auto strict = [&](const char* keyword) {
      return has(keyword) && schema[keyword] == true;
    };  // draft 4
    if (strict("exclusiveMinimum") && number == schema["minimum"]) return false;
    if (strict("exclusiveMaximum") && number == schema["maximum"]) return false;
    if (has("exclusiveMinimum") && schema["exclusiveMinimum"].is_number() &&
        number <= schema["exclusiveMinimum"])
      return false;
    if (has("exclusiveMaximum") && schema["exclusiveMaximum"].is_number() &&
        number >= schema["exclusiveMaximum"])
      return false;
    if (has("multipleOf")) {
      const double parts = number / schema["multipleOf"].get<double>();
      if (std::abs(parts - std::round(parts)) > 1e-6) return false;
    }
  }
  if (value.is_array() && !array_is_valid(value, schema, root)) return false;
  return !value.is_object() || object_is_valid(value, schema, root);
}

}  // namespace r1::test
