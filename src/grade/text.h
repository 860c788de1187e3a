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

/// The last place of a word that begins at `from` or before; npos: there is none. As std::string_view::rfind(), and several times as fast
/// where the word's first byte is rare.
size_t find_last(std::string_view text, std::string_view word, size_t from = std::string_view::npos);

/// Of a longer output, graders read the last bytes: an output of 32,768 tokens has a tenth of them.
inline constexpr size_t kMaxGradedBytes = size_t{1} << 20;

/// What follows the last </think>; the text itself where it has no tags; nothing where a <think> is never closed. Of the last
/// kMaxGradedBytes.
std::optional<std::string_view> without_thinking(std::string_view output);

}  // namespace r1::grade
