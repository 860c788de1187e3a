#include "eval/code/output_match.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "eval/code/lines.h"

namespace r1::eval {
namespace {

/// An exact decimal number: 0.digits × 10^exponent; no digits: 0.
struct Decimal {
  bool negative = false, infinite = false;
  std::string digits{};  // neither the first nor the last is 0
  int64_t exponent = 0;

  bool operator==(const Decimal&) const = default;
};

constexpr int64_t kMaxExponent = 1'000'000'000'000;

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

/// What Python's Decimal() takes, but for NaN, which equals nothing.
std::optional<Decimal> read_decimal(std::string_view token) {
  Decimal number;
  std::string text(token);
  std::erase(text, '_');
  size_t at = 0;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) number.negative = text[at++] == '-';
  const std::string_view rest = std::string_view(text).substr(at);
  if (equals_ignoring_case(rest, "inf") || equals_ignoring_case(rest, "infinity")) {
    number.infinite = true;
    return number;
  }
  size_t count = 0;
  bool point = false;
  int64_t whole = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      ++count;
      number.digits += c;
      whole += point ? 0 : 1;
    } else {
      break;
    }
  }
  if (count == 0) return std::nullopt;
  int64_t exponent = 0;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    ++at;
    const bool minus = at < text.size() && text[at] == '-';
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (at == text.size()) return std::nullopt;
    for (; at < text.size(); ++at) {
      if (text[at] < '0' || text[at] > '9') return std::nullopt;
      exponent = exponent * 10 + (text[at] - '0');
      if (exponent > kMaxExponent) return std::nullopt;
    }
    if (minus) exponent = -exponent;
  }
  const size_t leading = std::min(number.digits.find_first_not_of('0'), number.digits.size());
  number.digits.erase(0, leading);
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  if (number.digits.empty()) return Decimal{};
  number.exponent = exponent + whole - static_cast<int64_t>(leading);
  return number;
}

std::string_view next_token(std::string_view& line) {
  line = trimmed(line);
  const std::string_view token =
      line.substr(0, line.find_first_of(std::string_view(" \t\v\f\r\x1c\x1d\x1e\x1f", 9)));
  line.remove_prefix(token.size());
  return token;
}

bool same_decimals(std::string_view a, std::string_view b) {
  while (true) {
    const std::string_view first = next_token(a), second = next_token(b);
    if (first.empty() || second.empty()) return first.empty() && second.empty();
    const std::optional<Decimal> left = read_decimal(first), right = read_decimal(second);
    if (!left || !right || *left != *right) return false;
  }
}

/// Whether an integer and a floating-point number are the same number, without rounding either.
bool same_number(const nlohmann::json& whole, double real) {
  if (std::isnan(real) || real != std::floor(real) || std::abs(real) >= 0x1p64) return false;
  if (whole.is_number_unsigned()) return real >= 0 && static_cast<uint64_t>(real) == whole.get<uint64_t>();
  if (real < -0x1p63 || real >= 0x1p63) return false;
  return static_cast<int64_t>(real) == whole.get<int64_t>();
}

nlohmann::json as_number(const nlohmann::json& value) {
  return value.is_boolean() ? nlohmann::json(value.get<bool>() ? 1U : 0U) : value;
}

}  // namespace

bool same_output(std::string_view output, std::string_view expected) {
  output = trimmed(output);
  expected = trimmed(expected);
  if (output == expected) return true;
  if (std::count(output.begin(), output.end(), '\n') != std::count(expected.begin(), expected.end(), '\n')) {
    return false;
  }
  const std::vector<std::string_view> lines = lines_of(output), wanted = lines_of(expected);
  return std::equal(lines.begin(), lines.end(), wanted.begin(), [](std::string_view a, std::string_view b) {
    return trimmed(a) == trimmed(b) || same_decimals(a, b);
  });
}

bool same_value(const nlohmann::json& value, const nlohmann::json& expected) {
  if (value.is_array() && expected.is_array()) {
    return std::equal(value.begin(), value.end(), expected.begin(), expected.end(), same_value);
  }
  if (value.is_object() && expected.is_object()) {
    return value.size() == expected.size() &&
           std::all_of(value.items().begin(), value.items().end(), [&](const auto& entry) {
             const auto found = expected.find(entry.key());
             return found != expected.end() && same_value(entry.value(), *found);
           });
  }
  const nlohmann::json a = as_number(value), b = as_number(expected);
  if (!a.is_number() || !b.is_number()) return a == b;
  if (a.is_number_float() && b.is_number_float()) return a.get<double>() == b.get<double>();
  if (a.is_number_float()) return same_number(b, a.get<double>());
  if (b.is_number_float()) return same_number(a, b.get<double>());
  if (a.is_number_unsigned() == b.is_number_unsigned()) return a == b;
  const nlohmann::json& with_sign = a.is_number_unsigned() ? b : a;  // of one size: -1 would be 2^64 - 1
  return with_sign.get<int64_t>() >= 0 && a.get<uint64_t>() == b.get<uint64_t>();
}

}  // namespace r1::eval
