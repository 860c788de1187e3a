// Code points: Python's strings are sequences of them, ours are UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace r1::jinja {

bool is_valid_utf8(std::string_view text);
/// Decodes valid UTF-8.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t character);
/// Number of code points of valid UTF-8.
std::size_t count_characters(std::string_view text);

// Python's str methods of the same names.
bool is_space(char32_t character);
bool is_printable(char32_t character);
bool is_word(char32_t character);  // \w of a regular expression
bool is_decimal(char32_t character);
bool is_digit(char32_t character);
bool is_numeric(char32_t character);
bool is_alpha(char32_t character);
bool is_upper(char32_t character);
bool is_lower(char32_t character);
bool is_title(char32_t character);
bool is_cased(char32_t character);
bool is_identifier(std::u32string_view text);
std::u32string to_upper(std::u32string_view text);
std::u32string to_lower(std::u32string_view text);
std::u32string to_title(std::u32string_view text);
std::u32string capitalize(std::u32string_view text);
std::u32string swap_case(std::u32string_view text);

}  // namespace r1::jinja
