// How well a model predicts a text.
//
// Method, as llama.cpp's llama-perplexity, so that figures are comparable: the text's tokens are cut into
// windows of `window` tokens (an incomplete last one is left out); in each window the first token is replaced
// by BOS where the vocabulary wants one, and the tokens behind the first half are scored:
// positions window/2 … window-2 predict the next. Perplexity = exp(mean negative log-likelihood).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "model/model.h"

namespace r1 {

struct PerplexityOptions {
  int64_t window = 512;        // tokens, ≥ 4
  int64_t windows = -1;        // at most; -1: all
  int64_t batch_tokens = 512;  // of a forward pass
  DType key_dtype = DType::f16;
  DType value_dtype = DType::f16;
};

struct PerplexityResult {
  double perplexity = 0;
  double standard_error = 0;  // of the perplexity, from the spread of the tokens' log-likelihoods
  int64_t windows = 0;
  int64_t scored_tokens = 0;
};

/// `tokens`: the whole text, with BOS in front where the vocabulary wants one (then `bos` has it).
/// `progress` is called after each window with the result so far. Throws Error(invalid_argument) when the
/// text is shorter than a window, Error(context_overflow) when the window is longer than the model's context.
PerplexityResult perplexity(
    const Model& model, Context& context, std::span<const int32_t> tokens, std::optional<int32_t> bos,
    const PerplexityOptions& options,
    const std::function<void(const PerplexityResult&, int64_t windows)>& progress = {});

}  // namespace r1
