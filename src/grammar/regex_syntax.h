// Regular expressions as trees.
//
// Understood (ECMA-262's syntax): characters, escapes, classes, \d \w \s and their opposites, '.', groups
// (numbered, named, non-capturing), alternatives, * + ? {m,n} (lazy ones too: what may match is the same), ^
// and $, look-ahead. Refused by name: back-references, look-behind, \b, \B, \p{…}.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/automaton.h"

namespace r1::grammar {

struct RegexNode {
  enum class Kind { characters, sequence, either, repeat, begin, end, ahead, not_ahead };
  Kind kind = Kind::sequence;
  CharacterRanges ranges{};
  std::vector<RegexNode> parts{};
  int64_t low = 0, high = 0;  // repeat; high < 0: without limit
};

/// Throws Error(invalid_argument) for a malformed expression, Error(unsupported) for what is not understood;
/// messages name the place.
RegexNode parse_regex(std::string_view expression);

}  // namespace r1::grammar
