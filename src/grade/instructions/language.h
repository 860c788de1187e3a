// Guesses the language of a text: by its script, and where languages share one by their most frequent words and letters.
#pragma once

#include <string>
#include <string_view>

namespace r1::grade {

/// What guess_language says of Latin letters without a frequent word or a distinctive letter of any language: names, codes, one word.
inline constexpr std::string_view kUndetermined = "und";  // ISO 639-2

/// An ISO 639-1 code ("en", "de", "hi", "zh" …), or kUndetermined; empty where the text has no letters. For texts of a sentence and more.
std::string guess_language(std::string_view text);

/// `word` in small letters.
bool is_frequent_english_word(std::string_view word);

}  // namespace r1::grade
