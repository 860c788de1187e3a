// Linear layers over stored weights of any dtype, singly or several at once.
//
// With a tape every job of run_linear_jobs records its backward; jobs must then be whole layers over float32
// inputs without gaps (stride = columns).
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

/// y = W x + b. The memory belongs to the model.
struct Linear {
  kernels::WeightMatrix weight;  // {outputs, inputs}
  const float* bias = nullptr;   // [outputs], or none

  int64_t outputs() const { return weight.outputs; }
  int64_t inputs() const { return weight.inputs; }
};

/// Rows of activations in the forms that linear layers take: float32 always, int8 where prepared.
struct Activations {
  const float* values = nullptr;  // [rows, columns], row r at values + r · stride; null: only quantised
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
  kernels::QuantisedRows quantised;  // packed; values null: not prepared
  // True: `quantised` holds rows more, [2 · rows, columns]: those behind are what quantising the first left
  // over, quantised again. Their products are added, which makes about 15 bits of 8.
  bool refined = false;

  /// Rows [first, first + count); not of refined ones.
  Activations slice(int64_t first, int64_t count) const;
};

/// True when the weight meets int8 activations in this context.
bool takes_quantised(const Context& context, const kernels::WeightMatrix& weight);

/// Memory for quantised rows from the context's arena. `columns` is a multiple of 32.
kernels::QuantisedRows allocate_quantised(Context& context, int64_t rows, int64_t columns);

/// Activations over floats in memory, quantised as well when `quantise`. Memory from the arena.
Activations make_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                             int64_t stride, bool quantise);

/// Quantised in two steps (Activations::refined) for layers whose rounding shows most.
/// `rows` float32 rows; memory from the arena.
Activations make_refined_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                                     int64_t stride);

/// True where the weight is rounded so finely (8 bits) that the rounding of its activations is nearly all the
/// error there is: refining pays where the matrix is small beside the others.
bool gains_by_refining(const Context& context, const kernels::WeightMatrix& weight);

/// The same as make_activations for `pieces` inputs that lie beside each other in each row (the heads of an
/// attention's result): piece p of row r at values + r · stride + p · columns_apart. Writes out[p] for each.
void make_activations_of_pieces(Context& context, const float* values, int64_t rows, int64_t columns,
                                int64_t stride, int64_t columns_apart, bool quantise,
                                std::span<Activations> out);

/// The named rows of `input`, copied together. Memory from the arena.
Activations gather_rows(Context& context, const Activations& input, std::span<const int32_t> rows);
class Tape;
/// Adds the gradients of the copies, [rows.size(), columns] at `copies`, to those of the rows of `input`.
void gather_backward(Context& context, Tape& tape, const Activations& input, std::span<const int32_t> rows,
                     const float* copies);

/// One product of a set: outputs [output_begin, output_end) of `layer` for all rows of `input`, written to
/// output[r · output_stride + (o - output_begin)]. output_begin is a multiple of kernels::kOutputPanel.
struct LinearJob {
  const Linear* layer = nullptr;
  Activations input;
  float* output = nullptr;
  int64_t output_stride = 0;
  int64_t output_begin = 0;
  int64_t output_end = 0;
  bool float_only = false;  // float32 activations even where int8 ones would do (an expert router)
};

/// Runs all jobs as one parallel loop over panels of outputs. Jobs do not read each other's outputs.
void run_linear_jobs(Context& context, std::span<const LinearJob> jobs);

/// A job for a whole layer.
LinearJob whole_layer(const Linear& layer, const Activations& input, float* output);

/// output [rows, outputs] = layer(input).
void linear(Context& context, const Linear& layer, const Activations& input, float* output);

/// y[r][c] = Σ_o x[r][o] · W[row_begin + o][c] for o in [0, rows_used): a stored weight's rows weighed by x,
/// in ascending order of o, for several pieces of one weight at once.
struct TransposedJob {
  const kernels::WeightMatrix* weight = nullptr;
  int64_t row_begin = 0;
  int64_t rows_used = 0;
  const float* input = nullptr;  // [rows, input_stride]: rows_used floats are read
  int64_t input_stride = 0;
  float* output = nullptr;  // [rows, output_stride]: weight->inputs floats are written
  int64_t output_stride = 0;
};
void run_transposed_jobs(Context& context, std::span<const TransposedJob> jobs, int64_t rows);

/// The gradients of a job's input, weights and bias from that of its output.
void linear_backward(Context& context, Tape& tape, const LinearJob& job);
/// out [rows, weight.inputs] (+)= x · W, weights of any dtype; row r of x at x + r · stride.
void multiply_by_weights(Context& context, const kernels::WeightMatrix& weight, const float* x, int64_t rows,
                         int64_t stride, float* out, bool accumulate);
/// weight_gradient [outputs, inputs] += output_gradientᵀ · input over `rows` rows.
void add_weight_gradient(Context& context, const float* output_gradient, int64_t outputs,
                         int64_t gradient_stride, const float* input, int64_t inputs, int64_t input_stride,
                         int64_t rows, float* weight_gradient);

/// Decodes row `row` of a weight of any dtype, block scales included. out: [weight.inputs].
void decode_weight_row(const kernels::WeightMatrix& weight, int64_t row, std::span<float> out);

}  // namespace r1
