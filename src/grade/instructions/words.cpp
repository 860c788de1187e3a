#include "grade/instructions/words.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace r1::grade {
namespace {

void append(std::string& out, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

std::string utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append(out, c);
  return out;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t point = 0;
    const auto used = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &point);
    out += used > 0 ? static_cast<char32_t>(point) : U'\uFFFD';
    at += used > 0 ? static_cast<size_t>(used) : 1;
  }
  return out;
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  const auto kind = category(c);
  return c == 0x85 || kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
         kind == UTF8PROC_CATEGORY_ZP;
}

bool is_word_character(char32_t c) {
  if (c == '_') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_upper_case(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU;
}
bool is_lower_case(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL;
}

bool all_upper_case(std::string_view text) {
  bool cased = false;
  for (const char32_t c : code_points(text)) {
    if (is_lower_case(c) || category(c) == UTF8PROC_CATEGORY_LT) return false;
    cased |= is_upper_case(c);
  }
  return cased;
}

bool all_lower_case(std::string_view text) {
  bool cased = false;
  for (const char32_t c : code_points(text)) {
    if (is_upper_case(c) || category(c) == UTF8PROC_CATEGORY_LT) return false;
    cased |= is_lower_case(c);
  }
  return cased;
}

std::string lower_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : code_points(text)) {
    append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
  return out;
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char32_t c : code_points(text)) {
    const bool word = is_word_character(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return words;
}

std::vector<std::string> treebank_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  const std::u32string points = code_points(text);
  constexpr std::u32string_view kAlwaysApart = U"?!\"()[]{}<>;@#$%&*`“”‘’«»";
  for (size_t at = 0; at < points.size();) {
    if (is_white_space(points[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < points.size() && !is_white_space(points[end])) ++end;
    std::u32string_view chunk = std::u32string_view(points).substr(at, end - at);
    at = end;
    while (!chunk.empty()) {
      if (kAlwaysApart.find(chunk.front()) != std::u32string_view::npos) {
        tokens.push_back(utf8(chunk.substr(0, 1)));
        chunk.remove_prefix(1);
        continue;
      }
      const size_t length = std::min(chunk.find_first_of(kAlwaysApart), chunk.size());
      std::u32string_view word = chunk.substr(0, length);
      chunk.remove_prefix(length);
      // Commas and colons part words unless digits follow; the final full stop of a word is apart.
      for (size_t i = 0; i < word.size(); ++i) {
        const bool parts = (word[i] == ',' || word[i] == ':') &&
                           !(i + 1 < word.size() && word[i + 1] >= '0' && word[i + 1] <= '9');
        if (!parts) continue;
        if (i > 0) tokens.push_back(utf8(word.substr(0, i)));
        tokens.push_back(utf8(word.substr(i, 1)));
        word.remove_prefix(i + 1);
        i = static_cast<size_t>(-1);
      }
      if (word.size() > 1 && word.back() == '.' &&
          word.substr(0, word.size() - 1).find(U'.') == std::u32string_view::npos) {
        word.remove_suffix(1);
      }
      const std::string plain = utf8(word);
      const std::string folded = lower_case(plain);
      size_t cut = std::string::npos;
      for (const std::string_view ending : {"n't", "'s", "'m", "'d", "'re", "'ve", "'ll"}) {
        if (folded.size() > ending.size() && folded.ends_with(ending)) cut = plain.size() - ending.size();
      }
      if (cut != std::string::npos) {
        tokens.push_back(plain.substr(0, cut));
        tokens.push_back(plain.substr(cut));
      } else if (!plain.empty()) {
        tokens.push_back(plain);
      }
    }
  }
  return tokens;
}

}  // namespace r1::grade
