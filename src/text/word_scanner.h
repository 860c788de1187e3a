// Hand-written equivalents of the published pre-tokeniser regular expressions. Each returns the end of the
// piece that starts at `p`; the tests hold them against PCRE2 with the regular expressions themselves.
//
// Text must be valid UTF-8, and p < end. The end of the range counts as the end of the text.
#pragma once

#include <cstdint>

#include "text/unicode.h"

namespace r1::scan {

struct Cursor {
  const CharacterTable& table;
  const char* end;

  /// Class bits of the character at p (p < end); moves p past it.
  uint16_t take(const char*& p) const {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) {
      ++p;
      return table[byte];
    }
    const DecodedCharacter c = decode_valid_utf8(p);
    p += c.length;
    return table[c.code_point];
  }

  /// First position from p on whose class has none of `bits`.
  const char* skip_while(const char* p, uint16_t bits) const {
    while (p < end) {
      const char* next = p;
      if (!(take(next) & bits)) {
        break;
      }
      p = next;
    }
    return p;
  }

  /// First position from p on whose class has one of `bits`.
  const char* skip_until(const char* p, uint16_t bits) const {
    while (p < end) {
      const char* next = p;
      if (take(next) & bits) {
        break;
      }
      p = next;
    }
    return p;
  }

  const char* skip_newlines(const char* p) const {
    while (p < end && (*p == '\r' || *p == '\n')) {
      ++p;
    }
    return p;
  }

  /// \s*[\r\n]+ | \s+(?!\S) | \s+ at p, which stands on white space.
  const char* white_space(const char* p) const {
    const char* after_newline = nullptr;
    const char* last = p;  // start of the run's last character
    const char* q = p;
    while (q < end) {
      const char* next = q;
      const uint16_t bits = take(next);
      if (!(bits & class_space)) {
        break;
      }
      if (bits & class_newline) {
        after_newline = next;
      }
      last = q;
      q = next;
    }
    if (after_newline != nullptr) {
      return after_newline;
    }
    return q == end || last == p ? q : last;
  }

  /// \s+(?!\S) | \s+ at p, which stands on white space.
  const char* white_space_plain(const char* p) const {
    const char* last = p;
    const char* q = p;
    while (q < end) {
      const char* next = q;
      if (!(take(next) & class_space)) {
        break;
      }
      last = q;
      q = next;
    }
    return q == end || last == p ? q : last;
  }
};

/// The end of an English contraction ('s 't 're 've 'm 'll 'd) at p, which stands on "'"; p when none.
inline const char* contraction(const char* p, const char* end, bool fold_case) {
  const auto letter = [&](int i) -> char {
    if (end - p <= i) {
      return 0;
    }
    const char c = p[i];
    return fold_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') {
    return p + 2;
  }
  const char second = letter(2);
  const bool matches =
      (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
  return matches ? p + 3 : p;
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,D}| ?[^\s\p{L}\p{N}]+[\r\n]*
/// |\s*[\r\n]+|\s+(?!\S)|\s+     with D = 1 for Qwen2 and 3 for Llama-3
template <int max_digits>
const char* qwen_or_llama3(const Cursor& cursor, const char* p) {
  if (*p == '\'') {
    const char* after = contraction(p, cursor.end, true);
    if (after != p) {
      return after;
    }
  }
  const char* next = p;
  const uint16_t bits = cursor.take(next);
  if (bits & class_letter) {
    return cursor.skip_while(next, class_letter);
  }
  if (bits & class_number) {
    for (int i = 1; i < max_digits && next < cursor.end; ++i) {
      const char* after = next;
      if (!(cursor.take(after) & class_number)) {
        break;
      }
      next = after;
    }
    return next;
  }
  uint16_t next_bits = class_space;
  const char* second = next;
  if (next < cursor.end) {
    next_bits = cursor.take(second);
    if ((next_bits & class_letter) && !(bits & class_newline)) {
      return cursor.skip_while(second, class_letter);
    }
  }
  constexpr uint16_t not_other = class_space | class_letter | class_number;
  if (!(bits & class_space)) {
    return cursor.skip_newlines(cursor.skip_until(next, not_other));
  }
  if (*p == ' ' && !(next_bits & not_other)) {
    return cursor.skip_newlines(cursor.skip_until(second, not_other));
  }
  return cursor.white_space(p);
}

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+     (GPT-2)
inline const char* gpt2(const Cursor& cursor, const char* p) {
  if (*p == '\'') {
    const char* after = contraction(p, cursor.end, false);
    if (after != p) {
      return after;
    }
  }
  const char* next = p;
  uint16_t bits = cursor.take(next);
  if (*p == ' ' && next < cursor.end) {
    const char* second = next;
    const uint16_t next_bits = cursor.take(second);
    if (!(next_bits & class_space)) {
      bits = next_bits;
      next = second;
    }
  }
  if (bits & class_space) {
    return cursor.white_space_plain(p);
  }
  if (bits & (class_letter | class_number)) {
    return cursor.skip_while(next, bits & (class_letter | class_number));
  }
  return cursor.skip_until(next, class_space | class_letter | class_number);
}

inline bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The third split of DeepSeek-V3 at p:
/// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
/// |\s*[\r\n]+|\s+(?!\S)|\s+     Returns p when nothing matches there (control characters).
inline const char* deepseek_word(const Cursor& cursor, const char* p) {
  constexpr uint16_t letter_mark = class_letter | class_mark;
  constexpr uint16_t punctuation_symbol = class_punctuation | class_symbol;
  const char* next = p;
  const uint16_t bits = cursor.take(next);
  if (bits & letter_mark) {
    return cursor.skip_while(next, letter_mark);
  }
  if (bits & punctuation_symbol) {
    if (static_cast<unsigned char>(*p) < 0x80 && next < cursor.end && is_ascii_letter(*next)) {
      do {
        ++next;
      } while (next < cursor.end && is_ascii_letter(*next));
      return next;
    }
    return cursor.skip_newlines(cursor.skip_while(next, punctuation_symbol));
  }
  if (next < cursor.end && !(bits & class_newline)) {
    const char* second = next;
    const uint16_t next_bits = cursor.take(second);
    if (next_bits & letter_mark) {
      return cursor.skip_while(second, letter_mark);
    }
    if (*p == ' ' && (next_bits & punctuation_symbol)) {
      return cursor.skip_newlines(cursor.skip_while(second, punctuation_symbol));
    }
  }
  return bits & class_space ? cursor.white_space(p) : p;
}

/// Calls emit(begin, end) for each piece that DeepSeek-V3's three splits make of [p, end): \p{N}{1,3}, then
/// [一-龥぀-ゟ゠-ヿ]+, then deepseek_word. Each split sees the pieces of the one before as whole texts.
template <typename Emit>
void deepseek_v3(const CharacterTable& table, const char* p, const char* end, Emit&& emit) {
  const Cursor whole{table, end};
  while (p < end) {
    const char* next = p;
    const uint16_t bits = whole.take(next);
    if (bits & class_number) {
      for (int i = 1; i < 3 && next < end; ++i) {
        const char* after = next;
        if (!(whole.take(after) & class_number)) {
          break;
        }
        next = after;
      }
      emit(p, next);
      p = next;
      continue;
    }
    // The third split sees runs of kanji and kana too: some are punctuation, as U+30FB.
    const Cursor part{table, bits & class_kanji_kana
                                 ? whole.skip_while(next, class_kanji_kana)
                                 : whole.skip_until(next, class_number | class_kanji_kana)};
    const char* unmatched = p;
    while (p < part.end) {
      const char* after = deepseek_word(part, p);
      if (after == p) {
        part.take(p);
        continue;
      }
      if (unmatched < p) {
        emit(unmatched, p);
      }
      emit(p, after);
      p = unmatched = after;
    }
    if (unmatched < p) {
      emit(unmatched, p);
    }
  }
}

}  // namespace r1::scan
