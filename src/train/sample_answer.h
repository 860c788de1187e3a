// What a model that is being trained says to a sample's prompt: for people, who judge by reading.
#pragma once

#include <string>

#include "model/decoder.h"
#include "text/tokenizer.h"
#include "train/sample.h"

namespace r1 {

struct SampleAnswer {
  std::string prompt;    // as text with its markers; of raw text the first half
  std::string expected;  // what the sample has behind it, as many tokens
  std::string answer;    // what the model has, greedily
};

/// Generates at most `most_tokens`; ends with the token that ends the sample. `adapter` may be null, its
/// dropout should be off. Memory from the context's arena, given back. One thread.
SampleAnswer answer_sample(Context& context, const Decoder& model, const Adapter* adapter,
                           const Tokenizer& tokenizer, const TokenSequence& sample, int64_t most_tokens);

}  // namespace r1
