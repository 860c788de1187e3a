// Rotary position embedding: frequencies with their published scalings, tables for a batch, rotation.
// Sources: Su et al., RoFormer (2021); Llama 3.1's frequency scaling (Meta's reference model code);
// Peng et al., YaRN (2023) as DeepSeek-V3's inference code applies it.
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

/// base^(-2i/columns) for `columns` rotated elements (even).
RopeFrequencies plain_rope(int64_t columns, double base);

/// Positions divided by `factor`.
void apply_linear_scaling(RopeFrequencies& rope, double factor);

struct Llama3Scaling {
  double factor = 1, low_frequency_factor = 1, high_frequency_factor = 4;
  double original_context = 8192;  // positions
};
/// Long wavelengths are divided by the factor, short ones kept, between them blended.
void apply_llama3_scaling(RopeFrequencies& rope, const Llama3Scaling& scaling);

struct YarnScaling {
  double factor = 1;
  double original_context = 4096;  // positions
  double beta_fast = 32, beta_slow = 1;
};
/// Pairs that turn more than beta_fast times in the original context are kept, those that turn less than
/// beta_slow times divided by the factor, between them blended. `columns` and `base` as in plain_rope.
void apply_yarn_scaling(RopeFrequencies& rope, int64_t columns, double base, const YarnScaling& scaling);

/// Divides each frequency by its factor (GGUF's rope_freqs.weight). factors: one a pair.
void apply_frequency_factors(RopeFrequencies& rope, std::span<const float> factors);

/// Memory from the arena.
RopeTable make_rope_table(Context& context, const RopeFrequencies& rope, std::span<const int32_t> positions);

/// Rotates heads in place, all calls at once. With a tape backward rotates the gradients back.
void rotate(Context& context, std::span<const RotateCall> calls);

}  // namespace r1
