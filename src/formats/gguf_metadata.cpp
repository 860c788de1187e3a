#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/gguf_types.h"

namespace r1 {
using namespace gguf_detail;

std::string_view name(GgufType type) {
  switch (type) {
    case GgufType::u8:
      return "u8";
    case GgufType::i8:
      return "i8";
    case GgufType::u16:
      return "u16";
    case GgufType::i16:
      return "i16";
    case GgufType::u32:
      return "u32";
    case GgufType::i32:
      return "i32";
    case GgufType::f32:
      return "f32";
    case GgufType::boolean:
      return "bool";
    case GgufType::string:
      return "string";
    case GgufType::array:
      return "array";
    case GgufType::u64:
      return "u64";
    case GgufType::i64:
      return "i64";
    case GgufType::f64:
      return "f64";
  }
  return "unknown";
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

namespace {

/// A stored integer of any width; nothing when the type is no integer or the value exceeds int64 (only a u64
/// can: `unsigned_value` then holds it).
struct Integer {
  bool negative = false;
  uint64_t bits = 0;  // two's complement when negative
};

std::optional<Integer> load_integer(GgufType type, const std::byte* source) {
  auto from_signed = [](int64_t value) { return Integer{value < 0, static_cast<uint64_t>(value)}; };
  switch (type) {
    case GgufType::u8:
      return Integer{false, load<uint8_t>(source)};
    case GgufType::u16:
      return Integer{false, load<uint16_t>(source)};
    case GgufType::u32:
      return Integer{false, load<uint32_t>(source)};
    case GgufType::u64:
      return Integer{false, load<uint64_t>(source)};
    case GgufType::i8:
      return from_signed(load<int8_t>(source));
    case GgufType::i16:
      return from_signed(load<int16_t>(source));
    case GgufType::i32:
      return from_signed(load<int32_t>(source));
    case GgufType::i64:
      return from_signed(load<int64_t>(source));
    default:
      return std::nullopt;
  }
}

std::string describe(const GgufValue& value) {
  if (value.type != GgufType::array) return std::string(name(value.type));
  return fmt::format("array of {} {}", value.count, name(value.element_type));
}

[[noreturn]] void wrong_type(const GgufFile& file, std::string_view key, std::string_view expected,
                             const GgufValue& value) {
  throw_error(ErrorKind::bad_file, "{}: metadata key '{}': expected {}, found {}", file.name(), key, expected,
              describe(value));
}

/// The value as T; Error when it is no integer or does not fit.
template <typename T>
T convert_integer(const GgufFile& file, std::string_view key, const GgufValue& value, size_t index,
                  std::string_view expected) {
  const size_t size = stored_size(value.element_type);
  const auto integer = load_integer(value.element_type, value.bytes.data() + index * size);
  if (!integer) wrong_type(file, key, expected, value);
  const bool fits = integer->negative ? std::numeric_limits<T>::is_signed &&
                                            std::in_range<T>(static_cast<int64_t>(integer->bits))
                                      : std::in_range<T>(integer->bits);
  if (!fits) {
    throw_error(ErrorKind::bad_file, "{}: metadata key '{}': expected {}, found {}{}", file.name(), key,
                expected, integer->negative ? "-" : "",
                integer->negative ? 0 - integer->bits : integer->bits);
  }
  return static_cast<T>(integer->bits);
}

template <typename T>
std::optional<T> find_integer(const GgufFile& file, std::string_view key, std::string_view expected) {
  const GgufValue* value = file.find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == GgufType::array) wrong_type(file, key, expected, *value);
  return convert_integer<T>(file, key, *value, 0, expected);
}

template <typename T>
T require(const GgufFile& file, std::string_view key, std::string_view expected, std::optional<T> value) {
  if (!value) {
    throw_error(ErrorKind::bad_file, "{}: metadata key '{}' is missing (expected {})", file.name(), key,
                expected);
  }
  return std::move(*value);
}

}  // namespace

void GgufFile::override_value(std::string_view assignment) {
  const auto refuse = [&](std::string_view expected) {
    throw_error(ErrorKind::invalid_argument, "override '{}': expected {}", assignment, expected);
  };
  const size_t equals = assignment.find('=');
  const size_t colon = equals == std::string_view::npos ? equals : assignment.find(':', equals);
  if (colon == std::string_view::npos || equals == 0)
    refuse("KEY=TYPE:VALUE with TYPE int, float, bool or str");
  const std::string_view type = assignment.substr(equals + 1, colon - equals - 1);
  const std::string_view text = assignment.substr(colon + 1);
  const auto parse = [&]<typename T>(T value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse("a number behind the type");
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  GgufValue value;
  std::string payload;
  if (type == "int") {
    value.type = GgufType::i64;
    payload = parse(int64_t{0});
  } else if (type == "float") {
    value.type = GgufType::f64;
    payload = parse(0.0);
  } else if (type == "bool") {
    value.type = GgufType::boolean;
    if (text != "true" && text != "false") refuse("true or false");
    payload = std::string(1, text == "true" ? '\1' : '\0');
  } else if (type == "str") {
    value.type = GgufType::string;
    payload = text;
  } else {
    refuse("TYPE int, float, bool or str");
  }
  value.element_type = value.type;
  const std::string_view key = overrides_.emplace_back(assignment.substr(0, equals));
  value.bytes = std::as_bytes(std::span(overrides_.emplace_back(std::move(payload))));
  if (!values_.contains(key)) keys_.push_back(key);
  values_[key] = value;
}

std::optional<uint32_t> GgufFile::find_u32(std::string_view key) const {
  return find_integer<uint32_t>(*this, key, "an integer from 0 to 2^32-1");
}

std::optional<uint64_t> GgufFile::find_u64(std::string_view key) const {
  return find_integer<uint64_t>(*this, key, "an integer from 0 to 2^64-1");
}

std::optional<int64_t> GgufFile::find_i64(std::string_view key) const {
  return find_integer<int64_t>(*this, key, "an integer below 2^63");
}

std::optional<float> GgufFile::find_f32(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == GgufType::f32) return load<float>(value->bytes.data());
  if (value->type == GgufType::f64) return static_cast<float>(load<double>(value->bytes.data()));
  wrong_type(*this, key, "a float", *value);
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::boolean) wrong_type(*this, key, "a bool", *value);
  return load<uint8_t>(value->bytes.data()) != 0;
}

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::string) wrong_type(*this, key, "a string", *value);
  return text_of(value->bytes);
}

std::optional<std::vector<std::string_view>> GgufFile::find_strings(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::array || value->element_type != GgufType::string) {
    wrong_type(*this, key, "an array of strings", *value);
  }
  std::vector<std::string_view> result;
  result.reserve(value->count);
  const std::byte* position = value->bytes.data();
  for (uint64_t i = 0; i < value->count; ++i) {  // lengths were checked when the file was parsed
    const auto length = load<uint64_t>(position);
    result.push_back(text_of({position + sizeof(length), length}));
    position += sizeof(length) + length;
  }
  return result;
}

std::optional<std::vector<float>> GgufFile::find_f32s(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  const bool wide = value->element_type == GgufType::f64;
  if (value->type != GgufType::array || (!wide && value->element_type != GgufType::f32)) {
    wrong_type(*this, key, "an array of floats", *value);
  }
  std::vector<float> result(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    result[i] = wide ? static_cast<float>(load<double>(value->bytes.data() + 8 * i))
                     : load<float>(value->bytes.data() + 4 * i);
  }
  return result;
}

std::optional<std::vector<int32_t>> GgufFile::find_i32s(std::string_view key) const {
  constexpr std::string_view kExpected = "an array of integers from -2^31 to 2^31-1";
  const GgufValue* value = find_value(key);
  if (value == nullptr) return std::nullopt;
  const bool string_elements = value->element_type == GgufType::string;
  if (value->type != GgufType::array || string_elements) wrong_type(*this, key, kExpected, *value);
  std::vector<int32_t> result(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    result[i] = convert_integer<int32_t>(*this, key, *value, i, kExpected);
  }
  return result;
}

uint32_t GgufFile::require_u32(std::string_view key) const {
  return require(*this, key, "an integer", find_u32(key));
}
uint64_t GgufFile::require_u64(std::string_view key) const {
  return require(*this, key, "an integer", find_u64(key));
}
float GgufFile::require_f32(std::string_view key) const {
  return require(*this, key, "a float", find_f32(key));
}
bool GgufFile::require_bool(std::string_view key) const {
  return require(*this, key, "a bool", find_bool(key));
}
std::string_view GgufFile::require_string(std::string_view key) const {
  return require(*this, key, "a string", find_string(key));
}
std::vector<std::string_view> GgufFile::require_strings(std::string_view key) const {
  return require(*this, key, "an array of strings", find_strings(key));
}

}  // namespace r1
