#include "grade/instructions/words.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "grade/text.h"

namespace r1::grade {
namespace {

void append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

/// A token of its own, wherever it is.
bool is_always_apart(char32_t c) {
  if (is_word_character(c)) return false;
  return std::u32string_view(U"?!\"()[]{}<>;@#$%&*`“”‘’«»").find(c) != std::u32string_view::npos;
}

/// Where "n't", "'s" and the like begin at the end of a word; 0: the word has none.
size_t contraction_at(std::u32string_view word) {
  constexpr auto kEndings =
      std::to_array<std::u32string_view>({U"n't", U"'s", U"'m", U"'d", U"'re", U"'ve", U"'ll"});
  for (const std::u32string_view ending : kEndings) {
    if (word.size() <= ending.size()) continue;
    const size_t start = word.size() - ending.size();
    const bool equal =
        std::equal(ending.begin(), ending.end(), word.begin() + static_cast<std::ptrdiff_t>(start),
                   [](char32_t a, char32_t b) {
                     return a == (b < 0x80 ? static_cast<char32_t>(lower(static_cast<char>(b))) : b);
                   });
    if (equal) return start;
  }
  return 0;
}

bool is_title_case(char32_t c) {
  return c >= 0x80 && category(c) == UTF8PROC_CATEGORY_LT;
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    if (bytes[at] < 0x80) {
      out += bytes[at++];
      continue;
    }
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
  if (c < 0x80) return c == '_' || is_letter(static_cast<char>(c)) || is_digit(static_cast<char>(c));
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
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return category(c) == UTF8PROC_CATEGORY_LU;
}
bool is_lower_case(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return category(c) == UTF8PROC_CATEGORY_LL;
}

bool all_upper_case(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (is_lower_case(c) || is_title_case(c)) return false;
    cased |= is_upper_case(c);
  }
  return cased;
}

bool all_lower_case(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (is_upper_case(c) || is_title_case(c)) return false;
    cased |= is_lower_case(c);
  }
  return cased;
}

std::string lower_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : code_points(text)) {
    append(out, c < 0x80 ? static_cast<char32_t>(lower(static_cast<char>(c)))
                         : static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
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

void each_treebank_token(std::u32string_view points, const std::function<void(std::u32string_view)>& take) {
  for (size_t at = 0; at < points.size();) {
    if (is_white_space(points[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < points.size() && !is_white_space(points[end])) ++end;
    std::u32string_view chunk = points.substr(at, end - at);
    at = end;
    while (!chunk.empty()) {
      if (is_always_apart(chunk.front())) {
        take(chunk.substr(0, 1));
        chunk.remove_prefix(1);
        continue;
      }
      const auto length =
          static_cast<size_t>(std::find_if(chunk.begin(), chunk.end(), is_always_apart) - chunk.begin());
      std::u32string_view word = chunk.substr(0, length);
      chunk.remove_prefix(length);
      // Commas and colons part words unless digits follow; the final full stop of a word is apart.
      for (size_t i = 0; i < word.size(); ++i) {
        const bool parts = (word[i] == ',' || word[i] == ':') &&
                           !(i + 1 < word.size() && word[i + 1] >= '0' && word[i + 1] <= '9');
        if (!parts) continue;
        if (i > 0) take(word.substr(0, i));
        take(word.substr(i, 1));
        word.remove_prefix(i + 1);
        i = static_cast<size_t>(-1);
      }
      if (word.size() > 1 && word.back() == '.' &&
          word.substr(0, word.size() - 1).find(U'.') == std::u32string_view::npos) {
        word.remove_suffix(1);
      }
      const size_t cut = contraction_at(word);
      if (cut > 0) take(word.substr(0, cut));
      if (cut < word.size()) take(word.substr(cut));
    }
  }
}

}  // namespace r1::grade
