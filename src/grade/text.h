// Small operations on texts of models that several graders need.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1::grade {

/// ASCII's white space, digits and letters.
constexpr bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char lower(char c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// ASCII's capitals as small letters; as many bytes as before.
std::string lower_ascii(std::string_view text);

/// What follows the last </think>; the text itself where it has no tags; nothing where a <think> is never closed.
std::optional<std::string_view> without_thinking(std::string_view output);

}  // namespace r1::grade
