#include "text/jinja/unicode.h"

#include <utf8proc.h>

#include <cstdint>

namespace r1::jinja {

namespace {

// Decodes one code point; false on damage (overlong, surrogate, too large, cut).
bool decode_one(std::string_view text, std::size_t& position, char32_t& character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(position);
  if (lead < 0x80) {
    character = lead;
    ++position;
    return true;
  }
  const int extra = lead >= 0xF0 && lead < 0xF5   ? 3
                    : lead >= 0xE0 && lead < 0xF0 ? 2
                    : lead >= 0xC2 && lead < 0xE0 ? 1
                                                  : 0;
  if (extra == 0 || position + extra >= text.size()) return false;
  std::uint32_t value = lead & (0x3Fu >> extra);
  for (int i = 1; i <= extra; ++i) {
    if ((byte(position + i) & 0xC0) != 0x80) return false;
    value = value << 6 | (byte(position + i) & 0x3F);
  }
  static constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[extra] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
  character = value;
  position += extra + 1;
  return true;
}

utf8proc_category_t category(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

// Characters whose upper case is several characters (Unicode SpecialCasing.txt, unconditional entries that
// occur in running text).
const char32_t* special_upper(char32_t character) {
  switch (character) {
    case 0xDF:
      return U"SS";
    case 0x149:
      return U"\u02BCN";
    case 0x1F0:
      return U"J\u030C";
    case 0x390:
      return U"\u0399\u0308\u0301";
    case 0x3B0:
      return U"\u03A5\u0308\u0301";
    case 0x587:
      return U"\u0535\u0552";
    case 0x1E96:
      return U"H\u0331";
    case 0x1E97:
      return U"T\u0308";
    case 0x1E98:
      return U"W\u030A";
    case 0x1E99:
      return U"Y\u030A";
    case 0x1E9A:
      return U"A\u02BE";
    case 0xFB00:
      return U"FF";
    case 0xFB01:
      return U"FI";
    case 0xFB02:
      return U"FL";
    case 0xFB03:
      return U"FFI";
    case 0xFB04:
      return U"FFL";
    case 0xFB05:
    case 0xFB06:
      return U"ST";
    default:
      return nullptr;
  }
}

void append_upper(std::u32string& out, char32_t character) {
  if (const char32_t* special = special_upper(character)) {
    out += special;
  } else {
    out += static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character)));
  }
}

void append_title(std::u32string& out, char32_t character) {
  if (const char32_t* special = special_upper(character)) {
    const std::u32string_view text = special;
    out += text[0];
    for (const char32_t rest : text.substr(1))
      out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(rest)));
  } else {
    out += static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(character)));
  }
}

bool is_case_ignorable(char32_t character) {
  switch (category(character)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      break;
  }
  return character == '\'' || character == '.' || character == ':' || character == 0xB7 ||
         character == 0x2019 || character == 0x2018 || character == 0x2027;
}

// Capital sigma at the end of a word has its own small form.
bool is_final_sigma(std::u32string_view text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

void append_lower(std::u32string& out, std::u32string_view text, std::size_t at) {
  const char32_t character = text[at];
  if (character == 0x3A3) {
    out += is_final_sigma(text, at) ? U'\u03C2' : U'\u03C3';
  } else if (character == 0x130) {
    out += U"i\u0307";
  } else {
    out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character)));
  }
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  char32_t character = 0;
  for (std::size_t position = 0; position < text.size();)
    if (!decode_one(text, position, character)) return false;
  return true;
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    char32_t character = 0xFFFD;
    if (!decode_one(text, position, character)) ++position;
    out += character;
  }
  return out;
}

void append_utf8(std::string& out, char32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0 | character >> 6);
    out += static_cast<char>(0x80 | (character & 0x3F));
  } else if (character < 0x10000) {
    out += static_cast<char>(0xE0 | character >> 12);
    out += static_cast<char>(0x80 | (character >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (character & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | character >> 18);
    out += static_cast<char>(0x80 | (character >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (character >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (character & 0x3F));
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t character : text) append_utf8(out, character);
  return out;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_ND;
}

bool is_digit(char32_t c) {
  return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}

bool is_numeric(char32_t c) {
  const auto type = category(c);
  return type == UTF8PROC_CATEGORY_ND || type == UTF8PROC_CATEGORY_NL || type == UTF8PROC_CATEGORY_NO;
}

bool is_word(char32_t c) {
  return c == '_' || is_alpha(c) || is_numeric(c);
}
bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU;
}
bool is_lower(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA;
}
bool is_title(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LT;
}
bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || is_title(c);
}

bool is_identifier(std::u32string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto type = category(text[i]);
    const bool start = text[i] == '_' || is_alpha(text[i]) || type == UTF8PROC_CATEGORY_NL;
    const bool rest = type == UTF8PROC_CATEGORY_MN || type == UTF8PROC_CATEGORY_MC ||
                      type == UTF8PROC_CATEGORY_ND || type == UTF8PROC_CATEGORY_PC || text[i] == 0xB7;
    if (!start && (i == 0 || !rest)) return false;
  }
  return !text.empty();
}

std::u32string to_upper(std::u32string_view text) {
  std::u32string out;
  for (const char32_t character : text) append_upper(out, character);
  return out;
}

std::u32string to_lower(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) append_lower(out, text, i);
  return out;
}

std::u32string to_title(std::u32string_view text) {
  std::u32string out;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside) {
      append_lower(out, text, i);
    } else {
      append_title(out, text[i]);
    }
    inside = is_cased(text[i]);
  }
  return out;
}

std::u32string capitalize(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 0) {
      append_title(out, text[i]);
    } else {
      append_lower(out, text, i);
    }
  }
  return out;
}

std::u32string swap_case(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_upper(text[i])) {
      append_lower(out, text, i);
    } else if (is_lower(text[i])) {
      append_upper(out, text[i]);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace r1::jinja
