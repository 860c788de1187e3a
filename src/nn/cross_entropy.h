// Log-probabilities of given tokens, and their gradients, without ever holding all logits: some rows at a
// time.
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

class Tape;

/// Rows of logits that are held at once: 256, with a large vocabulary fewer, so that they stay near 80 MiB.
int64_t logit_chunk_rows(int64_t vocabulary);

/// log_probs[r] = log softmax(output · hidden[r])[targets[r]]; rows with a target below 0 get 0.
/// hidden: [rows, output.inputs].
void token_log_probs(Context& context, const Linear& output, const float* hidden,
                     std::span<const int32_t> targets, float* log_probs);

/// The same, and the gradient of a loss whose derivative by log_probs[r] is coefficients[r] (not read where
/// the target is below 0): written to the gradient of `hidden` and added to those of the output's trained
/// weights. log_probs may be null.
void token_log_probs_backward(Context& context, Tape& tape, const Linear& output, const float* hidden,
                              std::span<const int32_t> targets, const float* coefficients, float* log_probs);

}  // namespace r1
