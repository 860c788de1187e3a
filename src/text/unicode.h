// UTF-8 and the character classes that tokenizers ask for. Classes are those of Unicode 17.0,
// normalisation is utf8proc's (15.0).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// Bits of a code point's class, from its general category and, for space, the White_Space property.
enum CharacterClass : uint16_t {
  class_letter = 1,        // L*
  class_mark = 2,          // M*
  class_number = 4,        // N*
  class_punctuation = 8,   // P*
  class_symbol = 16,       // S*
  class_space = 32,        // White_Space
  class_newline = 64,      // \r and \n
  class_kanji_kana = 128,  // U+4E00-9FA5, U+3040-30FF: what DeepSeek-V3's second split isolates
  class_not_nfc = 256,     // may change, or compose with what stands before it, under NFC
  class_word = 512,        // letter, mark, decimal or letter number, connector punctuation
};

/// Classes of every code point in two stages; immutable, built at the first use.
class CharacterTable {
 public:
  static const CharacterTable& instance();

  uint16_t operator[](uint32_t code_point) const {
    return code_point < 128 ? ascii_[code_point]
                            : pages_[(size_t{page_of_[code_point >> 8]} << 8) | (code_point & 255)];
  }

 private:
  CharacterTable();

  std::array<uint16_t, 128> ascii_{};
  std::array<uint16_t, 0x1100> page_of_{};
  std::vector<uint16_t> pages_;  // [distinct pages × 256]
};

struct DecodedCharacter {
  uint32_t code_point;
  uint32_t length;  // bytes
};

/// The character at `text`, which must be valid UTF-8 with at least one byte left.
inline DecodedCharacter decode_valid_utf8(const char* text) {
  const auto byte = [text](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t first = byte(0);
  if (first < 0x80) {
    return {first, 1};
  }
  if (first < 0xe0) {
    return {(first & 0x1f) << 6 | (byte(1) & 0x3f), 2};
  }
  if (first < 0xf0) {
    return {(first & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
  }
  return {(first & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f), 4};
}

/// What the bytes at the start of `text` are, by the Unicode Standard's table 3-7 of well-formed UTF-8.
struct Utf8Prefix {
  enum Kind { complete, incomplete, invalid } kind;
  uint32_t length;  // of the character; of the bytes so far; of the maximal invalid part (at least 1)
};
Utf8Prefix inspect_utf8(std::string_view text);

/// Appends code_point (below 0x110000, no surrogate) to `out`.
void append_utf8(uint32_t code_point, std::string& out);

bool is_valid_utf8(std::string_view text);

/// `text` with every maximal invalid part replaced by U+FFFD, as the Unicode Standard (3.9) recommends and
/// as web browsers do.
std::string repair_utf8(std::string_view text);

/// True when no character of `text` (valid UTF-8) can change under NFC.
bool is_surely_nfc(std::string_view text);

/// Normalisation form C of `text` (valid UTF-8).
std::string normalise_nfc(std::string_view text);

}  // namespace r1
