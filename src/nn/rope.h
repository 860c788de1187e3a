// Rotary position embedding: frequencies with their published scalings, tables for a batch, rotation.
// Sources: Su et al., RoFormer (2021); Llama 3.1's frequency scaling (Meta's reference model code);
// Peng et al., YaRN (2023) as DeepSeek-V3's inference code applies it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/context.h"

namespace r1 {

/// Which two elements of a head make pair i of n.
enum class RopeStyle {
  interleaved,  // 2i and 2i + 1
  half_split,   // i and i + n
};

/// Angle of pair i at position p: p · inverse[i] radians. `magnitude` multiplies sine and cosine.
struct RopeFrequencies {
  std::vector<double> inverse;
  double magnitude = 1.0;
};

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

/// cosines, sines [rows, pairs] of the rows' positions, computed in double.
struct RopeTable {
  const float* cosines = nullptr;
  const float* sines = nullptr;
  int64_t pairs = 0;
};
RopeTable make_rope_table(Context& context, const RopeFrequencies& rope, std::span<const int32_t> positions);

/// Rotates the first 2 · pairs elements of a head in place for row `row` of the table.
void rotate(RopeStyle style, const RopeTable& table, int64_t row, float* head);
/// The transpose of rotate: for gradients.
void rotate_back(RopeStyle style, const RopeTable& table, int64_t row, float* head);

class Tape;
/// With a tape: records that `rotate` turned each of the `heads` heads of every row of x in place; row i of x
/// [rows, heads · columns] stands in row i of the table. Backward turns the gradient back, in place.
void record_rotation(Context& context, RopeStyle style, const RopeTable& table, const float* x, int64_t rows,
                     int64_t heads, int64_t columns);

}  // namespace r1
