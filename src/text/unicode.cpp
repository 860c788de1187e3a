#include "text/unicode.h"

#include <simdjson.h>
#include <utf8proc.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "text/unicode_additions.h"

namespace r1 {
namespace {

bool in_range(uint32_t c, uint32_t first, uint32_t last) {
  return c >= first && c <= last;
}

uint16_t category_bits(uint32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return class_letter | class_word;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return class_mark | class_word;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      return class_number | class_word;
    case UTF8PROC_CATEGORY_NO:
      return class_number;
    case UTF8PROC_CATEGORY_PC:
      return class_punctuation | class_word;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return class_punctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return class_symbol;
    default:
      return 0;
  }
}

bool is_white_space(uint32_t c) {
  return in_range(c, 9, 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         in_range(c, 0x2000, 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

uint16_t class_bits(uint32_t c) {
  uint16_t bits = category_bits(c);
  if (is_white_space(c)) {
    bits |= class_space;
  }
  if (c == '\r' || c == '\n') {
    bits |= class_newline;
  }
  if (in_range(c, 0x4e00, 0x9fa5) || in_range(c, 0x3040, 0x30ff)) {
    bits |= class_kanji_kana;
  }
  return bits;
}

/// Marks what the NFC quick check (Unicode Standard Annex 15, section 9) calls No or Maybe, or has a
/// non-zero combining class.
void mark_not_nfc(std::vector<uint16_t>& classes) {
  for (uint32_t c = 0x80; c < 0x110000; ++c) {
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if (property->combining_class != 0) {
      classes[c] |= class_not_nfc;
    }
    if (property->decomp_seqindex == UINT16_MAX || property->decomp_type != 0) {
      continue;
    }
    std::array<utf8proc_int32_t, 32> parts{};
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary);
    for (utf8proc_ssize_t i = 1; i < count; ++i) {
      classes[static_cast<size_t>(parts[static_cast<size_t>(i)])] |= class_not_nfc;
    }
    const auto recomposed = utf8proc_normalize_utf32(
        parts.data(), count, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (recomposed != 1 || parts[0] != static_cast<utf8proc_int32_t>(c)) {
      classes[c] |= class_not_nfc;
    }
  }
  for (uint32_t c = 0x1161; c <= 0x1175; ++c) {  // Hangul vowels and trailing consonants compose by rule
    classes[c] |= class_not_nfc;
  }
  for (uint32_t c = 0x11a8; c <= 0x11c2; ++c) {
    classes[c] |= class_not_nfc;
  }
}

void append_composed(std::string_view run, std::string& out) {
  utf8proc_uint8_t* composed = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(run.data()),
                                   static_cast<utf8proc_ssize_t>(run.size()), &composed,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) {
    throw_error(ErrorKind::out_of_memory, "NFC normalisation of {} bytes: {}", run.size(),
                utf8proc_errmsg(length));
  }
  out.append(reinterpret_cast<const char*>(composed), static_cast<size_t>(length));
  free(composed);  // utf8proc allocates with malloc
}

}  // namespace

CharacterTable::CharacterTable() {
  std::vector<uint16_t> classes(0x110000);
  for (uint32_t c = 0; c < 0x110000; ++c) {
    classes[c] = class_bits(c);
  }
  for (const AddedCharacters& range : added_characters) {
    std::fill(classes.begin() + range.first, classes.begin() + range.last + 1, range.classes);
  }
  mark_not_nfc(classes);
  std::map<std::vector<uint16_t>, uint16_t> known;
  for (size_t page = 0; page < page_of_.size(); ++page) {
    const auto* begin = classes.data() + page * 256;
    const auto [entry, is_new] =
        known.try_emplace(std::vector<uint16_t>(begin, begin + 256), static_cast<uint16_t>(known.size()));
    if (is_new) {
      pages_.insert(pages_.end(), begin, begin + 256);
    }
    page_of_[page] = entry->second;
  }
  std::copy_n(classes.begin(), ascii_.size(), ascii_.begin());
}

const CharacterTable& CharacterTable::instance() {
  static const CharacterTable table;
  return table;
}

Utf8Prefix inspect_utf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return {Utf8Prefix::complete, 1};
  }
  if (first < 0xc2 || first > 0xf4) {
    return {Utf8Prefix::invalid, 1};
  }
  const uint32_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (uint32_t i = 1; i < length; ++i) {
    if (i == text.size()) {
      return {Utf8Prefix::incomplete, i};
    }
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (i == 1) {  // no overlong forms, no surrogates, nothing above U+10FFFF
      low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : low;
      high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : high;
    }
    if (byte(i) < low || byte(i) > high) {
      return {Utf8Prefix::invalid, i};
    }
  }
  return {Utf8Prefix::complete, length};
}

void append_utf8(uint32_t c, std::string& out) {
  const auto continuation = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xc0 | c >> 6), continuation(0)};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xe0 | c >> 12), continuation(6), continuation(0)};
  } else {
    out += {static_cast<char>(0xf0 | c >> 18), continuation(12), continuation(6), continuation(0)};
  }
}

bool is_valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Prefix prefix = inspect_utf8(text);
    if (prefix.kind == Utf8Prefix::complete) {
      out.append(text.substr(0, prefix.length));
    } else {
      out.append("\xef\xbf\xbd");
    }
    text.remove_prefix(prefix.length);
  }
  return out;
}

bool is_surely_nfc(std::string_view text) {
  const CharacterTable& table = CharacterTable::instance();
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    if (static_cast<unsigned char>(*p) < 0xcc) {  // U+0300 is the first character with the bit
      p += static_cast<unsigned char>(*p) < 0x80 ? 1 : 2;
      continue;
    }
    const DecodedCharacter c = decode_valid_utf8(p);
    if (table[c.code_point] & class_not_nfc) {
      return false;
    }
    p += c.length;
  }
  return true;
}

std::string normalise_nfc(std::string_view text) {
  const CharacterTable& table = CharacterTable::instance();
  const char* end = text.data() + text.size();
  std::string out;
  out.reserve(text.size());
  const char* copied = text.data();    // everything before it is in `out`
  const char* boundary = text.data();  // the last character that nothing before it can touch
  for (const char* p = text.data(); p < end;) {
    const DecodedCharacter c = decode_valid_utf8(p);
    if (!(table[c.code_point] & class_not_nfc)) {
      boundary = p;
      p += c.length;
      continue;
    }
    // Compose from the last boundary to the next one.
    const char* run_end = p + c.length;
    while (run_end < end) {
      const DecodedCharacter next = decode_valid_utf8(run_end);
      if (!(table[next.code_point] & class_not_nfc)) {
        break;
      }
      run_end += next.length;
    }
    out.append(copied, boundary);
    append_composed({boundary, static_cast<size_t>(run_end - boundary)}, out);
    copied = boundary = p = run_end;
  }
  out.append(copied, end);
  return out;
}

}  // namespace r1
