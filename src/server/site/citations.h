// [citation:3] in an answer, as the official search prompts ask for it. The page does the same in
// web/src/text/citations.ts; docs/site-api.md has the rule.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace r1::site {

/// A piece of an answer: bytes [begin, end) are text, or a mark with its numbers.
struct AnswerPart {
  struct Number {
    int number;
    bool known;  // there is a source with it; others are shown, flagged, and lead nowhere
  };
  size_t begin, end;
  std::vector<Number> numbers;  // empty: text
};

/// `sources`: how many there are; they have the numbers 1 to that. The parts cover the answer without gaps.
std::vector<AnswerPart> parse_citations(std::string_view answer, int sources);

}  // namespace r1::site
