// Linear layers over stored weights of any dtype, singly or several at once.
//
// With a tape every job of run_linear_jobs records its backward; jobs must then be whole layers over float32
// inputs without gaps (stride = columns).
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

class Tape;

/// Rows of float32 values, with what the readers take beside them. Memory from the arena.
Activations make_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                             int64_t stride, const Readers& readers, RowSet row_set = RowSet::other);

/// The named rows of `input`, copied together. `rows`: [count], of the device. Memory from the arena.
Activations gather_rows(Context& context, const Activations& input, const int32_t* rows, int64_t count,
                        RowSet row_set = RowSet::other);

/// Runs all jobs at once. Jobs do not read each other's outputs.
void run_linear_jobs(Context& context, std::span<const LinearJob> jobs,
                     std::span<const GroupedJob> groups = {});

/// A job for a whole layer.
LinearJob whole_layer(const Linear& layer, const Activations& input, float* output);

/// output [rows, outputs] = layer(input).
void linear(Context& context, const Linear& layer, const Activations& input, float* output);

/// The gradients of a job's input, weights and bias from that of its output.
void linear_backward(Context& context, Tape& tape, const LinearJob& job);
void grouped_backward(Context& context, Tape& tape, const GroupedJob& job);

/// All of C, [rows, columns]. Weights on the right may be rounded (Arithmetic::mixed).
void run_product(Context& context, const Product& product, int64_t rows, int64_t columns);
/// out [rows, weight.inputs] (+)= x · W, weights of any dtype; row r of x at x + r · stride.
void multiply_by_weights(Context& context, const Weight& weight, const float* x, int64_t rows, int64_t stride,
                         float* out, bool accumulate);
/// weight_gradient [outputs, inputs] += output_gradientᵀ · input over `rows` rows.
void add_weight_gradient(Context& context, const float* output_gradient, int64_t outputs,
                         int64_t gradient_stride, const float* input, int64_t inputs, int64_t input_stride,
                         int64_t rows, float* weight_gradient);

/// A copy of the host's values in the arena.
const int32_t* upload(Context& context, std::span<const int32_t> values);

}  // namespace r1
