// Words, sentences and letter case, counted as IF-Eval's reference does (Zhou et al., "Instruction-Following Evaluation for
// Large Language Models", 2023): Python's `\w`, NLTK's word and sentence tokenizers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace r1::grade {

/// Text as code points; a broken byte is U+FFFD.
std::u32string code_points(std::string_view text);

/// Python's str.isspace(), str.isalnum() or '_', and the letter cases of one code point.
bool is_white_space(char32_t c);
bool is_word_character(char32_t c);
bool is_upper_case(char32_t c);
bool is_lower_case(char32_t c);

/// Letters with a case are there, and all are of that case (Python's str.isupper() and str.islower()).
bool all_upper_case(std::u32string_view text);
bool all_lower_case(std::u32string_view text);

/// Lower case of every code point.
std::string lower_case(std::string_view text);

/// Runs of word characters.
int64_t count_words(std::string_view text);

/// Tokens as of a Penn Treebank tokenizer: punctuation and contractions apart. They are parts of `text`.
void each_treebank_token(std::u32string_view text, const std::function<void(std::u32string_view)>& take);

/// English sentences as NLTK's Punkt tokenizer parts them (Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection",
/// 2006), with lists of our own where that has learnt ones: a full stop ends a sentence but behind an abbreviation or an initial, and
/// behind a number before a small letter ("1. Item" is two sentences). Line breaks alone end none.
int64_t count_sentences(std::string_view text);

}  // namespace r1::grade
