#include "rl/text_measures.h"

#include <unordered_set>
#include <vector>

namespace r1::rl {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Bytes of the character that begins with `lead`; 1 for bytes that begin none.
size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
}

/// U+3400 to U+9FFF, the blocks of unified ideographs in the basic plane.
bool is_han(std::string_view character) {
  if (character.size() != 3) return false;
  const auto byte = [&](size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(character[i])); };
  const unsigned code = (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
  return code >= 0x3400 && code <= 0x9FFF;
}

struct WordCounts {
  int64_t latin = 0, han = 0;
};

WordCounts count_words(std::string_view text) {
  WordCounts counts;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\\') {  // a LaTeX command
      for (++i; i < text.size() && is_letter(text[i]);) ++i;
    } else if (is_letter(text[i])) {
      const size_t first = i;
      while (i < text.size() && is_letter(text[i])) ++i;
      if (i - first > 1) ++counts.latin;
    } else {
      const size_t bytes = character_bytes(text[i]);
      if (is_han(text.substr(i, bytes))) ++counts.han;
      i += bytes;
    }
  }
  return counts;
}

}  // namespace

bool is_blank(std::string_view text) {
  for (const char c : text) {
    if (!is_space(c)) return false;
  }
  return true;
}

int64_t occurrences(std::string_view text, std::string_view part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

std::optional<std::string_view> inside_tags(std::string_view text, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">", close = "</" + std::string(name) + ">";
  const size_t first = text.rfind(open);
  if (first == std::string_view::npos) return std::nullopt;
  const size_t begin = first + open.size(), end = text.find(close, begin);
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(begin, end - begin);
}

bool is_only_tags(std::string_view text, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">", close = "</" + std::string(name) + ">";
  if (occurrences(text, open) != 1 || occurrences(text, close) != 1) return false;
  const size_t first = text.find(open), last = text.find(close);
  return first < last && is_blank(text.substr(0, first)) && is_blank(text.substr(last + close.size())) &&
         !is_blank(text.substr(first + open.size(), last - first - open.size()));
}

std::string language_of(std::string_view text) {
  for (size_t i = 0; i < text.size(); i += character_bytes(text[i])) {
    if (is_han(text.substr(i, character_bytes(text[i])))) return "zh";
  }
  return "en";
}

double language_share(std::string_view text, std::string_view language) {
  const WordCounts counts = count_words(text);
  const int64_t all = counts.latin + counts.han;
  if (all == 0) return 1;
  return static_cast<double>(language == "zh" ? counts.han : counts.latin) / static_cast<double>(all);
}

double repeated_share(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t i = 0; i < text.size();) {
    while (i < text.size() && is_space(text[i])) ++i;
    const size_t first = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    if (i > first) words.push_back(text.substr(first, i - first));
  }
  if (words.size() < 3) return 0;
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    seen.insert(std::string(words[i]) + ' ' + std::string(words[i + 1]) + ' ' + std::string(words[i + 2]));
  }
  const auto triples = static_cast<double>(words.size() - 2);
  return 1 - static_cast<double>(seen.size()) / triples;
}

}  // namespace r1::rl
