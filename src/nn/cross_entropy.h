// Log-probabilities of given tokens, and their gradients, without ever holding all logits: some rows at a
// time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/context.h"

namespace r1 {

class Tape;

/// Rows of logits that are held at once: 256, with a large vocabulary fewer, so that they stay near 80 MiB.
int64_t logit_chunk_rows(int64_t vocabulary);

/// The distribution that tokens are drawn from, as a sampler leaves it. Every target must be one of its tokens.
struct TokenDistribution {
  float temperature = 1;  // above 0
  int64_t known = -1;     // rows of the output matrix from here on are not tokens; -1: all are
  std::span<const std::vector<int32_t>>
      kept{};  // [rows], or empty: the tokens that filters kept; an empty one: all known
};

/// log_probs[r] = log softmax(output · hidden[r] / T)[targets[r]]; rows with a target below 0 get 0.
/// hidden: [rows, output.inputs].
void token_log_probs(Context& context, const Linear& output, const float* hidden,
                     std::span<const int32_t> targets, float* log_probs,
                     const TokenDistribution& distribution = {});

/// The same, and the gradient of a loss whose derivative by log_probs[r] is coefficients[r] (not read where
/// the target is below 0): written to the gradient of `hidden` and added to those of the output's trained
/// weights. log_probs may be null.
void token_log_probs_backward(Context& context, Tape& tape, const Linear& output, const float* hidden,
                              std::span<const int32_t> targets, const float* coefficients, float* log_probs,
                              const TokenDistribution& distribution = {});

}  // namespace r1
