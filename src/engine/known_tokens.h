// Which rows of a model's output matrix are tokens. Many models have more rows than their vocabulary has
// tokens (R1-Distill-Qwen-1.5B: 151,936 rows, 151,665 tokens), so that the matrix splits evenly. Such a row
// has a logit like any other, and no text: it is never drawn.
#pragma once

#include <cstdint>
#include <vector>

namespace r1 {

struct Vocabulary;

struct KnownTokens {
  int64_t limit = -1;            // ids from here on are not tokens; -1: all rows are tokens
  std::vector<int32_t> holes{};  // ids below the limit that are not tokens, ascending

  bool contains(int32_t token) const;
};

/// Of a model with `rows` rows: the ids that the tokenizer knows (Tokenizer::is_token) and the vocabulary's
/// end_of_generation, whatever their type. Throws Error(bad_file) when there is none.
KnownTokens known_tokens(const Vocabulary& vocabulary, int64_t rows);

}  // namespace r1
