// Regular expressions as parts of a grammar.
//
// Understood (ECMA-262's syntax): characters, escapes, classes, \d \w \s and their opposites, '.', groups
// (numbered, named, non-capturing), alternatives, * + ? {m,n} (lazy ones too: what may match is the same), ^
// at the beginning and $ at the end. Refused by name: back-references, look-around, \b, \B, \p{…}.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/grammar.h"

namespace r1::grammar {

enum class RegexUse {
  plain,        // the whole text matches
  json_string,  // inside the quotes of a JSON string; the expression is about the decoded text
};

/// The expression as a fragment. `search`: it need only match somewhere, unless ^ and $ say otherwise (as
/// JSON Schema's "pattern"). Throws Error(invalid_argument) for a malformed expression, Error(unsupported)
/// for what is not understood; messages name the place.
Fragment add_regex(GrammarBuilder& builder, std::string_view expression, RegexUse use, bool search);

/// A grammar of the texts that the expression matches as a whole.
std::shared_ptr<const Grammar> compile_regex(std::string_view expression);

using CharacterRanges = std::vector<std::pair<char32_t, char32_t>>;

/// One character of a JSON string's inside: written as itself, or escaped where JSON demands it.
Fragment add_json_characters(GrammarBuilder& builder, const CharacterRanges& ranges);

}  // namespace r1::grammar
