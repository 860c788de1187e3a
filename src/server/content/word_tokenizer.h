// Words for SQLite's full-text search (FTS5): every Chinese character, kana and Hangul syllable is a word of
// its own, so that a query of any length finds them as a phrase; the rest is left to FTS5's own tokenizers.
// Interface: https://www.sqlite.org/fts5.html#custom_tokenizers
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/database.h"

namespace r1::site {

/// Makes the tokenizer "r1_words" known to this connection. Its arguments name the tokenizer for the rest:
/// tokenize='r1_words unicode61' or 'r1_words porter unicode61'.
void register_word_tokenizer(Database& database);

/// A query of FTS5 from what a person typed: words divided by space and punctuation; a run of CJK characters
/// is one phrase. Empty when there is no word in it. Never a syntax error. At most kMaxQueryWords words (a
/// CJK character counts as one): with all_words more of them throw SiteError(invalid), with any_word the
/// first are taken.
enum class Match { all_words, any_word };
inline constexpr size_t kMaxQueryWords = 64;
std::string full_text_query(std::string_view typed, Match match, bool last_by_prefix);

struct SnippetPart {
  std::string text;
  bool match;
};

/// Divides what snippet() or highlight() gave with kMatchBegin and kMatchEnd as its marks.
inline constexpr const char* kMatchBegin = "\x02";
inline constexpr const char* kMatchEnd = "\x03";
std::vector<SnippetPart> snippet_parts(std::string_view marked);

}  // namespace r1::site
