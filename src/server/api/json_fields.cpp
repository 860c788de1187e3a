#include "server/api/json_fields.h"

#include <algorithm>
#include <cmath>

#include "base/json_depth.h"
#include "base/json_keys.h"
#include "base/memory_reserve.h"

namespace r1::server {

Json parse_json(std::string_view text, const std::string& field) {
  const std::string_view name = field.empty() ? "the body" : std::string_view(field);
  if (is_nested_deeper(text, kMaxJsonLevels))
    throw ApiError(400, field, "invalid_json", fmt::format("{} is nested too deeply", name));
  const auto refuse_twice = [](const std::string& place) {
    throw ApiError(400, place, "duplicate_key", fmt::format("{}: this key is given more than once", place));
  };
  try {
    return Json::parse(text, UniqueKeys<Json, decltype(refuse_twice)>(refuse_twice, field));
  } catch (const Json::exception& error) {
    std::string reason = error.what();
    // The library quotes what it last read, which need not be UTF-8.
    if (const size_t end = reason.find("; last read"); end != std::string::npos) reason.resize(end);
    if (const size_t begin = reason.find("] "); begin != std::string::npos) reason.erase(0, begin + 2);
    throw ApiError(400, field, "invalid_json", fmt::format("{} is no valid JSON: {}", name, reason));
  }
}

Json parse_body(std::string_view body) {
  Json parsed = parse_json(body, "");
  check_memory();
  if (!parsed.is_object()) {
    throw ApiError(400, "", "invalid_json",
                   fmt::format("the body: expected a JSON object, found {}", parsed.type_name()));
  }
  return parsed;
}

JsonFields::JsonFields(const Json& object, std::string path, RequestObject rules)
    : object_(object), path_(std::move(path)), rules_(rules) {
  if (!object.is_object()) refuse(path_, "{}: expected an object, found {}", path_, object.type_name());
}

std::string JsonFields::full_name(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const Json* JsonFields::find(std::string_view name) {
  known_.emplace(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::require(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) {
    const std::string full = full_name(name);
    throw ApiError(400, full, "missing_required_parameter", fmt::format("{}: is missing", full));
  }
  return *value;
}

std::optional<bool> JsonFields::boolean(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean())
    refuse(full_name(name), "{}: expected true or false, found {}", full_name(name), value->type_name());
  return value->get<bool>();
}

std::optional<int64_t> JsonFields::integer(std::string_view name, int64_t low, int64_t high) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  std::optional<int64_t> result;
  if (value->is_number_unsigned()) {
    if (value->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      result = static_cast<int64_t>(value->get<uint64_t>());
  } else if (value->is_number_integer()) {
    result = value->get<int64_t>();
  } else if (value->is_number_float() && std::abs(value->get<double>()) < 9e15 &&
             std::trunc(value->get<double>()) == value->get<double>()) {
    result = static_cast<int64_t>(value->get<double>());
  }
  if (!result)
    refuse(full_name(name), "{}: expected an integer, found {}", full_name(name),
           value->dump().substr(0, 80));
  if (*result < low || *result > high) {
    refuse(full_name(name), "{}: expected {} to {}, found {}", full_name(name), low, high, *result);
  }
  return result;
}

std::optional<double> JsonFields::number(std::string_view name, double low, double high) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number())
    refuse(full_name(name), "{}: expected a number, found {}", full_name(name), value->type_name());
  const double result = value->get<double>();
  if (!(result >= low && result <= high))
    refuse(full_name(name), "{}: expected {} to {}, found {}", full_name(name), low, high, result);
  return result;
}

std::optional<std::string> JsonFields::text(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string())
    refuse(full_name(name), "{}: expected a text, found {}", full_name(name), value->type_name());
  return value->get<std::string>();
}

std::string JsonFields::required_text(std::string_view name) {
  require(name);
  return *text(name);
}

std::optional<std::string> JsonFields::choice(std::string_view name,
                                              const std::vector<std::string_view>& choices) {
  std::optional<std::string> value = text(name);
  if (value && std::ranges::find(choices, *value) == choices.end()) {
    std::string list;
    for (const std::string_view option : choices)
      list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", option);
    refuse(full_name(name), "{}: expected one of {}, found \"{}\"", full_name(name), list,
           value->substr(0, 80));
  }
  return value;
}

std::vector<std::string> JsonFields::texts(std::string_view name, size_t max_size) {
  const Json* value = find(name);
  if (value == nullptr) return {};
  std::vector<std::string> result;
  if (value->is_string()) {
    result.push_back(value->get<std::string>());
  } else if (value->is_array()) {
    for (const Json& item : *value) {
      if (!item.is_string())
        refuse(full_name(name), "{}: expected texts, found {}", full_name(name), item.type_name());
      result.push_back(item.get<std::string>());
    }
  } else {
    refuse(full_name(name), "{}: expected a text or a list of texts, found {}", full_name(name),
           value->type_name());
  }
  if (result.size() > max_size)
    refuse(full_name(name), "{}: expected at most {}, found {}", full_name(name), max_size, result.size());
  return result;
}

const Json* JsonFields::object(std::string_view name) {
  const Json* value = find(name);
  if (value != nullptr && !value->is_object())
    refuse(full_name(name), "{}: expected an object, found {}", full_name(name), value->type_name());
  return value;
}

const Json* JsonFields::array(std::string_view name) {
  const Json* value = find(name);
  if (value != nullptr && !value->is_array())
    refuse(full_name(name), "{}: expected a list, found {}", full_name(name), value->type_name());
  return value;
}

void JsonFields::refuse_unknown() const {
  for (const auto& [name, value] : object_.items()) {
    if (value.is_null() || known_.contains(name)) continue;
    const FieldRule* rule = find_rule(rules_, name);
    const std::string full = full_name(name.substr(0, 100));
    if (rule == nullptr) {
      if (rules_ == RequestObject::history) continue;
      throw ApiError(400, full, "unknown_parameter", fmt::format("{}: this parameter is not known", full));
    }
    if (rule->reason.empty() || is_neutral(*rule, value)) continue;
    throw ApiError(400, full, "unsupported_parameter",
                   fmt::format("{}: not supported: {}", full, rule->reason));
  }
}

}  // namespace r1::server
