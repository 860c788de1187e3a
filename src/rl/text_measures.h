// What rewards measure in texts. All are linear in the text's length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r1::rl {

bool is_blank(std::string_view text);
int64_t occurrences(std::string_view text, std::string_view part);

/// What stands between the last <name> and the </name> after it.
std::optional<std::string_view> inside_tags(std::string_view text, std::string_view name);
/// The text is <name>…</name> with something in it, blanks around it apart, and the tags occur once.
bool is_only_tags(std::string_view text, std::string_view name);

/// "zh" for a text with Han characters, else "en".
std::string language_of(std::string_view text);

/// Share of the words that belong to a language: "zh": Han characters, a word each; any other: words of Latin letters.
/// Formulas (LaTeX commands, single letters), digits and signs are in no language. 1 where there are no words.
double language_share(std::string_view text, std::string_view language);

/// Share of the triples of words that occurred before in the text; 0 for fewer than three words.
double repeated_share(std::string_view text);

}  // namespace r1::rl
