// Answers of a model in training to prompts of samples: for people, who judge by reading.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"
#include "text/tokenizer.h"
#include "train/sample.h"

namespace r1 {

class Context;
class Adapter;

struct SampleAnswer {
  std::string prompt;    // as text with its markers; of raw text the first half
  std::string expected;  // what the sample has behind it, as many tokens
  std::string answer;    // of the model, greedily
};

/// Answers all samples in one batch with an engine of its own over the present weights; keys and values in float32. An
/// answer has at most `max_tokens`, fewer where the model's context ends, and ends with the token that ends its sample. `adapter` may be null, its dropout must
/// be off. One thread.
std::vector<SampleAnswer> answer_samples(Context& context, const std::shared_ptr<const Model>& model,
                                         const Adapter* adapter, const Tokenizer& tokenizer,
                                         std::span<const TokenSequence* const> samples, int64_t max_tokens);

}  // namespace r1
