// Ops that work on each row, or each element, alone.
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"
#include "nn/linear.h"

namespace r1 {

/// out [tokens, table.inputs]: rows of a stored embedding table of any dtype. Tokens must lie in the table.
void embed(Context& context, const kernels::WeightMatrix& table, std::span<const int32_t> tokens, float* out);

/// table_gradient [vocabulary, columns] += the rows of `gradient` [tokens, columns], in their order.
void embed_backward(Context& context, std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                    float* table_gradient);

/// Which forms of the result later ops read.
struct WantedForms {
  bool floats = true;
  bool quantised = false;

  /// What `layers` need together.
  static WantedForms of(const Context& context, std::span<const Linear* const> layers);
};

/// x += addend (unless null), then rms_norm(x) · weight, row by row. Result in the arena, in the wanted forms
/// (floats always). Row r of x at x + r · columns, of the addend likewise.
Activations add_rms_norm(Context& context, float* x, const float* addend, const float* weight, int64_t rows,
                         int64_t columns, float epsilon, WantedForms wanted);

class Tape;
/// What the backward of add_rms_norm needs. `saved` is x after the addition, kept since x goes on changing.
struct NormRecord {
  const float* x = nullptr;
  const float* addend = nullptr;  // or null
  const float* saved = nullptr;
  const float* normed = nullptr;
  const float* weight = nullptr;
  int64_t rows = 0, columns = 0;
  float epsilon = 0;
};
void add_rms_norm_backward(Context& context, Tape& tape, const NormRecord& record);
/// Row r at values + r · stride.
struct StridedRows {
  const float* values = nullptr;
  int64_t stride = 0;
};
/// The gradient of rms_norm of rows of x: added to x_gradient and, unless null, to weight_gradient.
void rms_norm_rows_backward(Context& context, StridedRows x, const float* weight, StridedRows gradient,
                            int64_t rows, int64_t columns, float epsilon, float* x_gradient,
                            int64_t x_gradient_stride, float* weight_gradient);

/// x += addend, element by element.
void add_in_place(Context& context, float* x, const float* addend, int64_t count);
/// The gradient of `to` gets that of `from` added.
void copy_gradient(Context& context, Tape& tape, const float* from, const float* to, int64_t count);

/// rms_norm in place of `rows` pieces of `columns` floats, `stride` apart.
void rms_norm_in_place(Context& context, float* x, const float* weight, int64_t rows, int64_t columns,
                       int64_t stride, float epsilon);

/// silu(gate) · up, element by element, both [rows, columns]. The floats, where wanted, overwrite gate (with
/// a tape: lie in the arena).
Activations swiglu(Context& context, float* gate, const float* up, int64_t rows, int64_t columns,
                   WantedForms wanted);
void swiglu_backward(Context& context, Tape& tape, const float* gate, const float* up, const float* out,
                     int64_t count);

}  // namespace r1
