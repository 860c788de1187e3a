// Guesses the language of a text: by its script, and where languages share one by their most frequent words and letters.
#pragma once

#include <string>
#include <string_view>

namespace r1::grade {

/// An ISO 639-1 code ("en", "de", "hi", "zh" …); empty where the text has no letters. For texts of a sentence and more.
std::string guess_language(std::string_view text);

}  // namespace r1::grade
