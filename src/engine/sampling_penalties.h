// What changes logits before the temperature: bias, constraint, penalties, DRY.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/sampling.h"

namespace r1 {

/// The logit of a token that must not be drawn.
inline constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// Adds options.logit_bias; -100 or less forbids (minus infinity).
void apply_logit_bias(std::span<float> logits, const SamplingOptions& options);

/// Forbids tokens whose bit is not set.
void apply_constraint(std::span<float> logits, std::span<const uint64_t> allowed);

/// Repetition: a token among the last penalty_window tokens has its logit divided by the penalty where
/// positive, multiplied where negative, once (Keskar et al., CTRL, 2019; llama.cpp, vLLM). Frequency and
/// presence: logit -= count · frequency + (count > 0) · presence over generated tokens (OpenAI's API
/// reference). `counts`: one zero a token, and left so.
void apply_penalties(std::span<float> logits, const SamplingOptions& options,
                     std::span<const int32_t> context, int64_t prompt_tokens, std::vector<int32_t>& counts);

/// DRY (p-e-w, text-generation-webui pull request 5677; llama.cpp's semantics): where the sequence's last L
/// tokens, L ≥ allowed_length, occurred before, the token that followed them then has
/// multiplier · base^(L - allowed_length) taken off its logit, for the longest such L. L counts back to the
/// last breaker at most; a breaker of one token is never penalised itself. `scratch`: one zero a token, and
/// left so.
void apply_dry(std::span<float> logits, const SamplingOptions& options, std::span<const int32_t> context,
               std::vector<int32_t>& scratch);

}  // namespace r1
