// Backward of linear layers: dX += dY · W, dW += dYᵀ · X, db += Σ dY.
#include <algorithm>

#include "nn/linear.h"
#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {

void multiply_by_weights(Context& context, const kernels::WeightMatrix& weight, const float* x, int64_t rows,
                         int64_t stride, float* out, bool accumulate) {
  kernels::Product product;
  product.a = x;
  product.a_row = stride;
  set_weights(product, weight, 0, false);
  product.c = out;
  product.c_row = weight.inputs;
  product.depth = weight.outputs;
  product.accumulate = accumulate;
  run_product(context, product, rows, weight.inputs);
}

void add_weight_gradient(Context& context, const float* output_gradient, int64_t outputs,
                         int64_t gradient_stride, const float* input, int64_t inputs, int64_t input_stride,
                         int64_t rows, float* weight_gradient) {
  kernels::Product product;
  product.a = output_gradient;
  product.a_row = 1;
  product.a_depth = gradient_stride;
  product.b = input;
  product.b_depth = input_stride;
  product.c = weight_gradient;
  product.c_row = inputs;
  product.depth = rows;
  product.accumulate = true;
  run_product(context, product, outputs, inputs);
}

void linear_backward(Context& context, Tape& tape, const LinearJob& job) {
  const Linear& layer = *job.layer;
  const Activations& input = job.input;
  const float* gradient = tape.find(job.output);
  if (gradient == nullptr) return;
  const Tape::Target target = tape.add_to(context.arena(), input.values, input.rows * input.columns);
  multiply_by_weights(context, layer.weight, gradient, input.rows, job.output_stride, target.data,
                      target.accumulate);
  if (float* weight_gradient = tape.weight_gradient(layer.weight.data)) {
    add_weight_gradient(context, gradient, layer.outputs(), job.output_stride, input.values, input.columns,
                        input.stride, input.rows, weight_gradient);
  }
  if (layer.bias != nullptr) {
    if (float* bias_gradient = tape.weight_gradient(layer.bias)) {
      add_column_sums(context, gradient, input.rows, layer.outputs(), job.output_stride, bias_gradient);
    }
  }
  tape.forget(job.output, input.rows * job.output_stride);
}

void gather_backward(Context& context, Tape& tape, const Activations& input, std::span<const int32_t> rows,
                     const float* copies) {
  constexpr int64_t kColumns = 256;  // of a task
  const float* gradient = tape.find(copies);
  if (gradient == nullptr) return;
  const int64_t columns = input.columns;
  float* target = tape.add_to_zeroed(context.arena(), input.values, input.rows * columns);
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t tasks = (columns + kColumns - 1) / kColumns;
  context.parallel_for(tasks, count * columns > 16384, [&](int64_t task, int) {
    const int64_t first = task * kColumns;
    for (int64_t i = 0; i < count; ++i) {
      context.kernels().add(target + rows[i] * columns + first, gradient + i * columns + first,
                            std::min(kColumns, columns - first));
    }
  });
}

}  // namespace r1
