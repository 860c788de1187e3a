#include "grammar/schema_compiler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

constexpr int kMaxDepth = 48;
constexpr int64_t kMaxCount = 100'000;
// Joining copies: what many references share, with whatever texts describe it, would be there once for each.
constexpr size_t kMaxJoinedBytes = size_t{32} << 20;

// What only describes.
constexpr std::array kAnnotations = {
    "$schema",    "$id",      "$comment",  "title", "description", "default", "examples", "example",
    "deprecated", "readOnly", "writeOnly", "$defs", "definitions", "$anchor", "strict",   "nullable"};
constexpr std::array kKnown = {"type",
                               "enum",
                               "const",
                               "$ref",
                               "anyOf",
                               "oneOf",
                               "allOf",
                               "properties",
                               "required",
                               "items",
                               "prefixItems",
                               "additionalProperties",
                               "minItems",
                               "maxItems",
                               "minLength",
                               "maxLength",
                               "pattern",
                               "format",
                               "minimum",
                               "maximum",
                               "exclusiveMinimum",
                               "exclusiveMaximum",
                               "minProperties",
                               "maxProperties",
                               "propertyNames"};
constexpr std::array kTypes = {"string", "number", "integer", "boolean", "null", "object", "array"};

const std::map<std::string, std::string, std::less<>>& formats() {
  // Narrower than the formats themselves where those would need a calendar or a resolver.
  static const std::string kDate =
      "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
      "02-(?:0[1-9]|1[0-9]|2[0-8]))";
  static const std::string kTime =
      "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
  static const std::string kByte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  static const std::string kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  static const std::string kHost = kLabel + "(?:\\." + kLabel + "){0,5}";
  static const std::map<std::string, std::string, std::less<>> kFormats = {
      {"date", kDate},
      {"time", kTime},
      {"date-time", kDate + "T" + kTime},
      {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
      {"ipv4", kByte + "(?:\\." + kByte + "){3}"},
      {"hostname", kHost},
      {"email",
       "[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,32}){0,3}@" + kLabel + "(?:\\." + kLabel + "){1,4}"},
      {"uri", "https?://" + kHost + "(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*"},
  };
  return kFormats;
}

[[noreturn]] void malformed(const std::string& path, std::string_view what) {
  throw_error(ErrorKind::invalid_argument, "{}: {}", path, what);
}

std::optional<int64_t> count_of(const Schema& schema, const char* name, const std::string& path) {
  const auto found = schema.find(name);
  if (found == schema.end()) return std::nullopt;
  const bool whole = found->is_number_integer() ||
                     (found->is_number_float() && std::trunc(found->get<double>()) == found->get<double>());
  if (!whole || found->get<double>() < 0 || found->get<double>() > kMaxCount)
    malformed(path + "." + name, "expected an integer from 0 to 100000");
  return found->get<int64_t>();
}

std::optional<double> number_of(const Schema& schema, const char* name, const std::string& path) {
  const auto found = schema.find(name);
  if (found == schema.end()) return std::nullopt;
  if (!found->is_number()) malformed(path + "." + name, "expected a number");
  return found->get<double>();
}

std::string type_of(const Schema& value) {
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "boolean";
  if (value.is_null()) return "null";
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_number_float() && std::trunc(value.get<double>()) != value.get<double>()) return "number";
  return "integer";
}

bool fits(const std::string& type, const std::string& wanted) {
  return type == wanted || (type == "integer" && wanted == "number");
}

/// The types that the schema names or implies; empty: any.
std::vector<std::string> types_of(const Schema& schema, const std::string& path) {
  std::vector<std::string> types;
  if (const auto found = schema.find("type"); found != schema.end()) {
    for (const Schema& type : found->is_array() ? *found : Schema::array({*found})) {
      if (!type.is_string() || std::ranges::find(kTypes, type.get<std::string>()) == kTypes.end())
        malformed(path + ".type", "expected one of string, number, integer, boolean, null, object, array");
      types.push_back(type.get<std::string>());
    }
    if (types.empty()) malformed(path + ".type", "expected at least one type");
    const auto nullable = schema.find("nullable");
    if (nullable != schema.end() && *nullable == true && std::ranges::find(types, "null") == types.end())
      types.emplace_back("null");
    return types;
  }
  // Keywords that only concern one type: documents of that type are among the valid ones.
  static const std::map<std::string, std::string, std::less<>> kImplied = {
      {"properties", "object"},    {"required", "object"},         {"additionalProperties", "object"},
      {"propertyNames", "object"}, {"minProperties", "object"},    {"maxProperties", "object"},
      {"items", "array"},          {"prefixItems", "array"},       {"minItems", "array"},
      {"maxItems", "array"},       {"minLength", "string"},        {"maxLength", "string"},
      {"pattern", "string"},       {"format", "string"},           {"minimum", "number"},
      {"maximum", "number"},       {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"}};
  std::set<std::string> implied;
  for (const auto& [name, value] : schema.items()) {
    if (const auto found = kImplied.find(name); found != kImplied.end()) implied.insert(found->second);
  }
  return {implied.begin(), implied.end()};
}

}  // namespace

Fragment SchemaCompiler::add_root(const Schema& root, const std::string& name) {
  root_ = &root;
  root_name_ = name;
  references_.clear();
  return add(root, name, 0);
}

void SchemaCompiler::check_keywords(const Schema& schema, const std::string& path) const {
  for (const auto& [name, value] : schema.items()) {
    if (std::ranges::find(kAnnotations, name) != kAnnotations.end()) continue;
    if (std::ranges::find(kKnown, name) != kKnown.end()) continue;
    if (name.starts_with("x-")) continue;
    if (name == "uniqueItems" && value == false) continue;
    throw_error(ErrorKind::unsupported, "{}: the keyword \"{}\" is not supported", path, name.substr(0, 60));
  }
}

const Schema& SchemaCompiler::resolve(const Schema& schema, const std::string& path) const {
  const Schema& reference = schema["$ref"];
  const std::string target = reference.is_string() ? reference.get<std::string>() : "";
  if (target != "#" && !target.starts_with("#/"))
    throw_error(ErrorKind::unsupported,
                "{}.$ref: only references inside the schema (\"#/…\") are supported, found {}", path,
                reference.dump().substr(0, 80));
  const Schema* at = root_;
  try {
    at = &root_->at(Schema::json_pointer(target.substr(1)));
  } catch (const Schema::exception&) {
    throw_error(ErrorKind::invalid_argument, "{}.$ref: there is no {}", path, target.substr(0, 80));
  }
  return *at;
}

Fragment SchemaCompiler::add_reference(const Schema& schema, const std::string& path, int depth) {
  const Schema& target = resolve(schema, path);
  const auto known = references_.find(&target);
  if (known != references_.end()) return builder_.call(known->second);
  const RuleId rule = builder_.declare_rule();
  references_.emplace(&target, rule);
  builder_.define_rule(rule, add(target, path, depth + 1));
  return builder_.call(rule);
}

Fragment SchemaCompiler::add(const Schema& schema, const std::string& path, int depth) {
  if (depth > kMaxDepth) malformed(path, "nested too deeply");
  if (schema == true) return json_.any_value();
  if (schema == false) throw_error(ErrorKind::unsupported, "{}: a schema that nothing fits", path);
  if (!schema.is_object()) malformed(path, "expected an object, true or false");
  check_keywords(schema, path);
  if (schema.contains("allOf")) {
    const Schema& list = schema["allOf"];
    if (!list.is_array() || list.empty()) malformed(path + ".allOf", "expected a list of schemas");
    Schema all = schema;
    all.erase("allOf");
    for (const Schema& part : list) all = merge(std::move(all), part, path + ".allOf");
    return add(keep(std::move(all), path), path, depth + 1);
  }
  const auto has_rules_besides = [&](std::string_view keyword) {
    return std::ranges::any_of(schema.items(), [&](const auto& item) {
      return item.key() != keyword && std::ranges::find(kAnnotations, item.key()) == kAnnotations.end();
    });
  };
  if (schema.contains("$ref")) {
    if (!has_rules_besides("$ref")) return add_reference(schema, path, depth);
    Schema rest = schema;
    rest.erase("$ref");
    rest = merge(std::move(rest), resolve(schema, path), path);
    return add(keep(std::move(rest), path), path, depth + 1);
  }
  if (const auto found = schema.find("const"); found != schema.end()) return builder_.literal(found->dump());
  if (const auto found = schema.find("enum"); found != schema.end()) {
    if (!found->is_array() || found->empty()) malformed(path + ".enum", "expected a list of values");
    const std::vector<std::string> types = types_of(schema, path);
    std::vector<Fragment> parts;
    for (const Schema& value : *found) {
      const std::string type = type_of(value);
      const bool wanted = !schema.contains("type") ||
                          std::ranges::any_of(types, [&](const std::string& one) { return fits(type, one); });
      if (wanted) parts.push_back(builder_.literal(value.dump()));
    }
    if (parts.empty()) malformed(path + ".enum", "no value of the wanted type");
    return builder_.either(parts);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (schema.contains(keyword)) return add_alternatives(schema, keyword, path, depth);
  }
  const std::vector<std::string> types = types_of(schema, path);
  if (types.empty()) return json_.any_value();
  std::vector<Fragment> parts;
  parts.reserve(types.size());
  for (const std::string& type : types) parts.push_back(add_type(schema, type, path, depth));
  return builder_.either(parts);
}

Fragment SchemaCompiler::add_alternatives(const Schema& schema, const char* keyword, const std::string& path,
                                          int depth) {
  const Schema& list = schema[keyword];
  const std::string here = path + "." + keyword;
  if (!list.is_array() || list.empty()) malformed(here, "expected a list of schemas");
  Schema rest = schema;
  rest.erase(keyword);
  for (const char* annotation : kAnnotations) rest.erase(annotation);
  std::vector<const Schema*> branches;
  for (const Schema& branch : list) {
    if (rest.empty()) {
      branches.push_back(&branch);
    } else {
      branches.push_back(&keep(merge(rest, branch, here), here));
    }
  }
  if (std::string_view(keyword) == "oneOf") {
    for (size_t i = 0; i < branches.size(); ++i) {
      for (size_t j = i + 1; j < branches.size(); ++j) {
        if (!disjoint(*branches[i], *branches[j], here))
          throw_error(
              ErrorKind::unsupported,
              "{}: the branches {} and {} may hold at once; \"oneOf\" is supported where types, constants or "
              "a required property's constants tell them apart (else use \"anyOf\")",
              here, i, j);
      }
    }
  }
  std::vector<Fragment> parts;
  for (size_t i = 0; i < branches.size(); ++i)
    parts.push_back(add(*branches[i], here + "[" + std::to_string(i) + "]", depth + 1));
  return builder_.either(parts);
}

bool SchemaCompiler::disjoint(const Schema& a, const Schema& b, const std::string& path, int depth) const {
  if (depth > 8 || !a.is_object() || !b.is_object()) return false;
  if (a.contains("$ref")) return disjoint(resolve(a, path), b, path, depth + 1);
  if (b.contains("$ref")) return disjoint(a, resolve(b, path), path, depth + 1);
  const auto values = [](const Schema& schema) -> std::optional<std::vector<Schema>> {
    if (schema.contains("const")) return std::vector<Schema>{schema["const"]};
    if (schema.contains("enum") && schema["enum"].is_array())
      return std::vector<Schema>(schema["enum"].begin(), schema["enum"].end());
    return std::nullopt;
  };
  const auto va = values(a), vb = values(b);
  if (va && vb)
    return std::ranges::none_of(*va, [&](const Schema& x) { return std::ranges::find(*vb, x) != vb->end(); });
  const auto types = [&](const Schema& schema, const std::optional<std::vector<Schema>>& known) {
    std::vector<std::string> result;
    if (known) {
      for (const Schema& value : *known) result.push_back(type_of(value));
    } else if (schema.contains("type")) {
      result = types_of(schema, path);
    }
    return result;
  };
  const auto ta = types(a, va), tb = types(b, vb);
  if (!ta.empty() && !tb.empty()) {
    const bool apart = std::ranges::none_of(ta, [&](const std::string& x) {
      return std::ranges::any_of(tb, [&](const std::string& y) { return fits(x, y) || fits(y, x); });
    });
    if (apart) return true;
  }
  // Objects told apart by a property that both require.
  const auto requires_property = [](const Schema& schema, const std::string& name) {
    const auto list = schema.find("required");
    return list != schema.end() && list->is_array() && std::ranges::find(*list, Schema(name)) != list->end();
  };
  if (ta != std::vector<std::string>{"object"} || tb != ta || !a.contains("properties") ||
      !b.contains("properties"))
    return false;
  for (const auto& [name, value] : a["properties"].items()) {
    if (!b["properties"].contains(name) || !requires_property(a, name) || !requires_property(b, name))
      continue;
    if (disjoint(value, b["properties"][name], path, depth + 1)) return true;
  }
  return false;
}

/// Gives a schema that was put together an address that lasts.
const Schema& SchemaCompiler::keep(Schema joined, const std::string& path) {
  joined_bytes_ += joined.dump(-1, ' ', false, Schema::error_handler_t::replace).size();
  if (joined_bytes_ > kMaxJoinedBytes)
    throw_error(ErrorKind::unsupported, "{}: joined schemas have more than {} bytes together", path,
                kMaxJoinedBytes);
  joined_.push_back(std::make_unique<Schema>(std::move(joined)));
  return *joined_.back();
}

/// A schema that holds where both do.
Schema SchemaCompiler::merge(Schema base, const Schema& other_in, const std::string& path) const {
  if (!other_in.is_object()) {
    if (other_in == true) return base;
    throw_error(ErrorKind::unsupported, "{}: a schema that nothing fits", path);
  }
  check_keywords(other_in, path);
  Schema other = other_in;
  for (int depth = 0; other.contains("$ref"); ++depth) {
    if (depth > kMaxDepth) malformed(path, "references without end");
    Schema target = resolve(other, path);
    other.erase("$ref");
    other = other.empty() ? std::move(target) : merge(std::move(target), other, path);
  }
  const auto conflict = [&](const std::string& name) {
    throw_error(ErrorKind::unsupported, "{}: two values of \"{}\" cannot be joined", path, name);
  };
  for (const auto& [name, value] : other.items()) {
    if (std::ranges::find(kAnnotations, name) != kAnnotations.end()) continue;
    const auto found = base.find(name);
    if (found == base.end()) {
      base[name] = value;
    } else if (*found == value) {
      continue;
    } else if (name == "properties" && found->is_object() && value.is_object()) {
      for (const auto& [key, property] : value.items()) {
        if (found->contains(key) && (*found)[key] != property)
          (*found)[key] = Schema{{"allOf", Schema::array({(*found)[key], property})}};
        else
          (*found)[key] = property;
      }
    } else if (name == "required" && found->is_array() && value.is_array()) {
      for (const Schema& key : value) {
        if (std::ranges::find(*found, key) == found->end()) found->push_back(key);
      }
    } else if (name == "type") {
      Schema common = Schema::array();
      for (const std::string& a : types_of(base, path)) {
        for (const std::string& b : types_of(other, path)) {
          if (a == b || (a == "integer" && b == "number")) common.push_back(a);
          if (a == "number" && b == "integer") common.push_back(b);
        }
      }
      if (common.empty()) conflict(name);
      *found = common;
    } else if ((name.starts_with("min") || name == "exclusiveMinimum") && found->is_number() &&
               value.is_number()) {
      if (value > *found) *found = value;
    } else if ((name.starts_with("max") || name == "exclusiveMaximum") && found->is_number() &&
               value.is_number()) {
      if (value < *found) *found = value;
    } else if (name == "additionalProperties" && (*found == false || value == false)) {
      // "Additional" is said of each schema's own properties: joined, that would forbid the other's.
      throw_error(ErrorKind::unsupported, "{}: \"additionalProperties\" in one of several joined schemas",
                  path);
    } else {
      conflict(name);
    }
  }
  return base;
}

Fragment SchemaCompiler::add_type(const Schema& schema, const std::string& type, const std::string& path,
                                  int depth) {
  if (type == "string") return add_string(schema, path);
  if (type == "number" || type == "integer") return add_number(schema, type == "integer", path);
  if (type == "boolean") return builder_.either({builder_.literal("true"), builder_.literal("false")});
  if (type == "null") return builder_.literal("null");
  if (type == "array") return add_array(schema, path, depth);
  return add_object(schema, path, depth);
}

Fragment SchemaCompiler::add_string(const Schema& schema, const std::string& path) {
  const auto low = count_of(schema, "minLength", path), high = count_of(schema, "maxLength", path);
  if (low && high && *low > *high) malformed(path, "minLength is above maxLength");
  const bool has_pattern = schema.contains("pattern"), has_format = schema.contains("format");
  if ((has_pattern || has_format) && (low.value_or(0) > 0 || high || (has_pattern && has_format))) {
    throw_error(ErrorKind::unsupported, "{}: only one of \"pattern\", \"format\" and a length is supported",
                path);
  }
  std::string expression;
  if (has_pattern) {
    if (!schema["pattern"].is_string()) malformed(path + ".pattern", "expected a text");
    expression = schema["pattern"].get<std::string>();
  } else if (has_format) {
    const std::string name = schema["format"].is_string() ? schema["format"].get<std::string>() : "";
    const auto found = formats().find(name);
    if (found == formats().end())
      throw_error(ErrorKind::unsupported, "{}.format: \"{}\" is not supported", path, name.substr(0, 40));
    expression = "^(?:" + found->second + ")$";
  } else if (!low && !high) {
    return json_.string();
  } else {
    return json_.string_of_length(low.value_or(0), high.value_or(-1));
  }
  try {
    return builder_.sequence({builder_.literal("\""),
                              add_regex(builder_, expression, RegexUse::json_string, true),
                              builder_.literal("\"")});
  } catch (const Error& error) {
    throw_error(error.kind(), "{}.pattern: {}", path, error.what());
  }
}

Fragment SchemaCompiler::add_number(const Schema& schema, bool integer, const std::string& path) {
  const auto low = number_of(schema, "minimum", path), high = number_of(schema, "maximum", path);
  const auto above = number_of(schema, "exclusiveMinimum", path),
             below = number_of(schema, "exclusiveMaximum", path);
  if (!low && !high && !above && !below) return integer ? json_.integer() : json_.number();
  const bool low_excluded = above && (!low || *above >= *low),
             high_excluded = below && (!high || *below <= *high);
  const std::optional<double> from = low_excluded ? above : low, to = high_excluded ? below : high;
  try {
    if (!integer) return json_.number_between(from, low_excluded, to, high_excluded);
    std::optional<int64_t> first, last;
    constexpr double kFar = 1e15;
    if (from)
      first = static_cast<int64_t>(
          std::clamp(low_excluded ? std::floor(*from) + 1 : std::ceil(*from), -kFar, kFar));
    if (to)
      last =
          static_cast<int64_t>(std::clamp(high_excluded ? std::ceil(*to) - 1 : std::floor(*to), -kFar, kFar));
    return json_.integer_between(first, last);
  } catch (const Error& error) {
    throw_error(error.kind(), "{}: {}", path, error.what());
  }
}

Fragment SchemaCompiler::add_array(const Schema& schema, const std::string& path, int depth) {
  const int64_t low = count_of(schema, "minItems", path).value_or(0);
  const int64_t high = count_of(schema, "maxItems", path).value_or(-1);
  if (high >= 0 && low > high) malformed(path, "minItems is above maxItems");
  if (!schema.contains("prefixItems")) {
    const RuleId item = builder_.add_rule(
        schema.contains("items") ? add(schema["items"], path + ".items", depth + 1) : json_.any_value());
    return json_.list('[', item, low, high, ']');
  }
  // A tuple: all of the leading items, then others as far as they are allowed.
  const Schema& prefix = schema["prefixItems"];
  if (!prefix.is_array() || prefix.empty()) malformed(path + ".prefixItems", "expected a list of schemas");
  const auto count = static_cast<int64_t>(prefix.size());
  const bool open = schema.contains("items") && schema["items"] != false;
  if ((high >= 0 && high < count) || (!open && low > count))
    throw_error(ErrorKind::unsupported,
                "{}: \"prefixItems\" of another length than minItems and maxItems allow", path);
  std::vector<Fragment> parts = {builder_.literal("["), json_.space()};
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) parts.push_back(builder_.sequence({builder_.literal(","), json_.space()}));
    parts.push_back(add(prefix[i], path + ".prefixItems[" + std::to_string(i) + "]", depth + 1));
  }
  if (open) {
    const RuleId item = builder_.add_rule(add(schema["items"], path + ".items", depth + 1));
    parts.push_back(builder_.repeat(std::max<int64_t>(0, low - count), high < 0 ? -1 : high - count, [&] {
      return builder_.sequence({builder_.literal(","), json_.space(), builder_.call(item)});
    }));
  }
  parts.push_back(json_.space());
  parts.push_back(builder_.literal("]"));
  return builder_.sequence(std::move(parts));
}

Fragment SchemaCompiler::add_object(const Schema& schema, const std::string& path, int depth) {
  static const Schema kNone = Schema::object();
  const Schema& properties = schema.contains("properties") ? schema["properties"] : kNone;
  if (!properties.is_object()) malformed(path + ".properties", "expected an object");
  std::set<std::string> required;
  if (schema.contains("required")) {
    if (!schema["required"].is_array()) malformed(path + ".required", "expected a list of names");
    for (const Schema& name : schema["required"]) {
      if (!name.is_string()) malformed(path + ".required", "expected a list of names");
      required.insert(name.get<std::string>());
    }
  }
  const auto additional = schema.find("additionalProperties");
  const bool closed = additional != schema.end() ? *additional == false : schema.contains("properties");
  const int64_t low = count_of(schema, "minProperties", path).value_or(0);
  const int64_t high = count_of(schema, "maxProperties", path).value_or(-1);
  const auto declared = static_cast<int64_t>(properties.size());

  const auto value_rule = [&](const std::string& where) {
    return additional != schema.end() && additional->is_object() ? add(*additional, where, depth + 1)
                                                                 : json_.any_value();
  };
  if (declared == 0 && required.empty()) {
    if (closed) return builder_.sequence({builder_.literal("{"), json_.space(), builder_.literal("}")});
    Fragment key = json_.string();
    if (const auto names = schema.find("propertyNames"); names != schema.end()) {
      Schema text = *names;
      if (text.is_object()) text["type"] = "string";
      key = add(keep(std::move(text), path), path + ".propertyNames", depth + 1);
    }
    const RuleId pair = builder_.add_rule(builder_.sequence(
        {key, builder_.literal(":"), json_.space(), value_rule(path + ".additionalProperties")}));
    return json_.list('{', pair, low, high, '}');
  }
  if (schema.contains("propertyNames"))
    throw_error(ErrorKind::unsupported, "{}: \"propertyNames\" beside \"properties\" or \"required\"", path);
  if (low > static_cast<int64_t>(required.size()))
    throw_error(ErrorKind::unsupported, "{}: \"minProperties\" above the number of required properties",
                path);
  if (high >= 0 && (!closed || high < declared))
    throw_error(ErrorKind::unsupported, "{}: \"maxProperties\" beside properties that may exceed it", path);

  std::vector<ObjectPair> pairs;
  std::vector<std::string> names;
  const auto add_pair = [&](const std::string& name, Fragment value) {
    names.push_back(name);
    pairs.push_back({builder_.add_rule(builder_.sequence(
                         {builder_.literal(Schema(name).dump() + ":"), json_.space(), value})),
                     required.contains(name)});
  };
  for (const auto& [name, value] : properties.items()) {
    if (value == false && !required.contains(name)) continue;  // must be absent
    add_pair(name, add(value, path + ".properties." + name.substr(0, 60), depth + 1));
  }
  for (const std::string& name : required) {
    if (properties.contains(name)) continue;
    if (additional != schema.end() && *additional == false)
      malformed(path + ".required", "\"" + name.substr(0, 60) + "\" is required and not allowed");
    add_pair(name, value_rule(path + ".additionalProperties"));
  }
  if (closed) return pairs_in_order(pairs, std::nullopt);
  names.insert(names.end(), required.begin(), required.end());
  for (const auto& [name, value] : properties.items()) names.push_back(name);
  return pairs_in_order(
      pairs,
      builder_.add_rule(builder_.sequence({json_.key_except(names), builder_.literal(":"), json_.space(),
                                           value_rule(path + ".additionalProperties")})));
}

/// An object of these pairs in their order, perhaps without those that are not required; then any number of
/// `others`.
Fragment SchemaCompiler::pairs_in_order(const std::vector<ObjectPair>& pairs, std::optional<RuleId> others) {
  // Two rows of states: nothing written yet, and something written, so that a comma has to come first.
  StateId first = builder_.add_state(), more = builder_.add_state();
  const Fragment begin = builder_.sequence({builder_.literal("{"), json_.space(), {first, first}});
  const auto comma = [&](StateId from, Fragment pair, StateId to) {
    const Fragment next = builder_.sequence({builder_.literal(","), json_.space(), pair});
    builder_.link(from, next.start);
    builder_.link(next.end, to);
  };
  for (const ObjectPair& pair : pairs) {
    const StateId next_first = builder_.add_state(), next_more = builder_.add_state();
    const Fragment alone = builder_.call(pair.rule);
    builder_.link(first, alone.start);
    builder_.link(alone.end, next_more);
    comma(more, builder_.call(pair.rule), next_more);
    if (!pair.required) {
      builder_.link(first, next_first);
      builder_.link(more, next_more);
    }
    first = next_first;
    more = next_more;
  }
  if (others) {
    const Fragment alone = builder_.call(*others);
    builder_.link(first, alone.start);
    builder_.link(alone.end, more);
    comma(more, builder_.call(*others), more);
  }
  const StateId space = builder_.add_state();
  builder_.link(more, space);
  const Fragment end = builder_.sequence({{space, space}, json_.space(), builder_.literal("}")});
  const Fragment empty = builder_.literal("}");
  builder_.link(first, empty.start);
  builder_.link(empty.end, end.end);
  return {begin.start, end.end};
}

}  // namespace r1::grammar
