#include "formats/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

template <typename T>
T required(const std::optional<T>& value, const std::string& where) {
  if (!value) throw_error(ErrorKind::bad_file, "{}: is missing", where);
  return *value;
}

[[noreturn]] void wrong_type(const std::string& where, const char* expected, const nlohmann::json& found) {
  throw_error(ErrorKind::bad_file, "{}: expected {}, found {}", where, expected,
              found.is_primitive() ? found.dump() : found.type_name());
}

// Some settings may be written as a list with an entry for each layer; here all layers must agree.
int64_t gguf_integer(const GgufFile& file, const std::string& key) {
  if (file.find_value(key)->type != GgufType::array) return file.find_i64(key).value();
  const std::vector<int32_t> values = file.find_i32s(key).value();
  if (values.empty() || std::ranges::any_of(values, [&](int32_t value) { return value != values[0]; })) {
    throw_error(ErrorKind::unsupported, "{}: {}: expected one value for all layers, found [{}]", file.name(),
                key, fmt::join(values, ", "));
  }
  return values[0];
}

}  // namespace

ConfigReader::ConfigReader(const ModelFile& file, std::string architecture)
    : file_(&file), prefix_(file.gguf() != nullptr ? std::move(architecture) + "." : "") {
  if (file.hub() != nullptr) object_ = &*file.hub()->config;
}

std::string ConfigReader::full_key(ConfigKey key) const {
  return prefix_ + std::string(is_gguf() ? key.gguf : key.hub);
}

std::string ConfigReader::where(ConfigKey key) const {
  return fmt::format("{}: {}", file_->path().string(), full_key(key));
}

const nlohmann::json* ConfigReader::find_json(ConfigKey key) const {
  if (key.hub.empty()) return nullptr;
  const auto found = object_->find(std::string(key.hub));
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::has(ConfigKey key) const {
  if (is_gguf()) return !key.gguf.empty() && file_->gguf()->has(full_key(key));
  return find_json(key) != nullptr;
}

std::optional<int64_t> ConfigReader::find_integer(ConfigKey key, int64_t least, int64_t most) const {
  if (!has(key)) return std::nullopt;
  int64_t value = 0;
  if (is_gguf()) {
    value = gguf_integer(*file_->gguf(), full_key(key));
  } else {
    const nlohmann::json& json = *find_json(key);
    if (!json.is_number_integer()) wrong_type(where(key), "an integer", json);
    if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) {
      wrong_type(where(key), "a smaller integer", json);
    }
    value = json.get<int64_t>();
  }
  if (value < least || value > most) {
    throw_error(ErrorKind::bad_file, "{}: expected {} to {}, found {}", where(key), least, most, value);
  }
  return value;
}

std::optional<double> ConfigReader::find_number(ConfigKey key, double least, double most) const {
  if (!has(key)) return std::nullopt;
  double value = 0;
  if (is_gguf()) {
    value = static_cast<double>(file_->gguf()->find_f32(full_key(key)).value());
  } else {
    const nlohmann::json& json = *find_json(key);
    if (!json.is_number()) wrong_type(where(key), "a number", json);
    value = json.get<double>();
  }
  if (!(value >= least && value <= most)) {
    throw_error(ErrorKind::bad_file, "{}: expected {} to {}, found {}", where(key), least, most, value);
  }
  return value;
}

std::optional<bool> ConfigReader::find_flag(ConfigKey key) const {
  if (!has(key)) return std::nullopt;
  if (is_gguf()) return file_->gguf()->find_bool(full_key(key));
  const nlohmann::json& json = *find_json(key);
  if (!json.is_boolean()) wrong_type(where(key), "true or false", json);
  return json.get<bool>();
}

std::optional<std::string> ConfigReader::find_text(ConfigKey key) const {
  if (!has(key)) return std::nullopt;
  if (is_gguf()) return std::string(file_->gguf()->find_string(full_key(key)).value());
  const nlohmann::json& json = *find_json(key);
  if (!json.is_string()) wrong_type(where(key), "a string", json);
  return json.get<std::string>();
}

int64_t ConfigReader::integer(ConfigKey key, int64_t least, int64_t most) const {
  return required(find_integer(key, least, most), where(key));
}

double ConfigReader::number(ConfigKey key, double least, double most) const {
  return required(find_number(key, least, most), where(key));
}

bool ConfigReader::flag(ConfigKey key) const {
  return required(find_flag(key), where(key));
}

std::string ConfigReader::text(ConfigKey key) const {
  return required(find_text(key), where(key));
}

void ConfigReader::require_known(ConfigKey key, std::string_view value,
                                 std::initializer_list<std::string_view> known) const {
  for (std::string_view one : known) {
    if (one == value) return;
  }
  throw_error(ErrorKind::unsupported, "{}: '{}' is not supported; known: {}", where(key), value,
              fmt::join(std::vector<std::string_view>(known), ", "));
}

void ConfigReader::refuse_true(ConfigKey key) const {
  if (find_flag(key).value_or(false)) {
    throw_error(ErrorKind::unsupported, "{}: true is not supported; known: false", where(key));
  }
}

std::optional<ConfigReader> ConfigReader::find_object(std::string_view hub_key) const {
  if (is_gguf()) return std::nullopt;
  const nlohmann::json* json = find_json({"", hub_key});
  if (json == nullptr) return std::nullopt;
  if (!json->is_object()) wrong_type(where({"", hub_key}), "an object", *json);
  ConfigReader inner = *this;
  inner.prefix_ = prefix_ + std::string(hub_key) + ".";
  inner.object_ = json;
  return inner;
}

}  // namespace r1
