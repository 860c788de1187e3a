#include "nn/linear.h"

#include <stdexcept>
#include <vector>

#include "nn/adapter.h"
#include "nn/tape.h"

namespace r1 {
namespace {

void check_recorded(const Activations& input) {
  if (input.values == nullptr || input.stride != input.columns) {
    throw std::logic_error("run_linear_jobs: a tape records layers over float32 rows without gaps only");
  }
}

void record(Tape& tape, std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) {
  for (const LinearJob& job : jobs) {
    check_recorded(job.input);
    if (job.output_begin != 0 || job.output_end != job.layer->outputs()) {
      throw std::logic_error("run_linear_jobs: a tape records whole layers only");
    }
    tape.record([&tape, job](Context& context) { linear_backward(context, tape, job); });
  }
  for (const GroupedJob& group : groups) {
    check_recorded(group.input);
    tape.record([&tape, group](Context& context) { grouped_backward(context, tape, group); });
  }
}

void gather_backward(Context& context, Tape& tape, const Activations& input, const int32_t* rows,
                     int64_t count, const float* copies) {
  const float* gradient = tape.find(copies);
  if (gradient == nullptr) return;
  float* target = tape.add_to_zeroed(context.arena(), input.values, input.rows * input.columns);
  context.backend().add_rows(target, rows, gradient, count, input.columns);
}

}  // namespace

Activations make_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                             int64_t stride, const Readers& readers, RowSet row_set) {
  Activations plain;
  plain.values = values;
  plain.rows = rows;
  plain.columns = columns;
  plain.stride = stride;
  plain.row_set = row_set;
  return context.backend().prepare(plain, readers);
}

Activations gather_rows(Context& context, const Activations& input, const int32_t* rows, int64_t count,
                        RowSet row_set) {
  Activations out = context.backend().gather(input, rows, count);
  out.row_set = row_set;
  Tape* tape = context.tape();
  if (tape != nullptr && out.values != nullptr) {
    tape->record([=](Context& later) { gather_backward(later, *tape, input, rows, count, out.values); });
  }
  return out;
}

void run_linear_jobs(Context& context, std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) {
  Tape* tape = context.tape();
  if (tape != nullptr) record(*tape, jobs, groups);
  const bool unread = jobs.size() == 1 && tape != nullptr && is_unread(context, jobs[0]);
  const std::span<const LinearJob> read = unread ? std::span<const LinearJob>() : jobs;
  if (!read.empty() || !groups.empty()) context.backend().linear(read, groups);
  if (context.adapters() == nullptr) return;
  for (const LinearJob& job : jobs) add_low_rank_terms(context, *context.adapters(), job);
}

LinearJob whole_layer(const Linear& layer, const Activations& input, float* output) {
  return {&layer, input, output, layer.outputs(), 0, layer.outputs(), false};
}

void linear(Context& context, const Linear& layer, const Activations& input, float* output) {
  const LinearJob job = whole_layer(layer, input, output);
  run_linear_jobs(context, {&job, 1});
}

void run_product(Context& context, const Product& product, int64_t rows, int64_t columns) {
  if (rows > 0 && columns > 0) context.backend().product(product, rows, columns);
}

void multiply_by_weights(Context& context, const Weight& weight, const float* x, int64_t rows, int64_t stride,
                         float* out, bool accumulate) {
  Product product;
  product.a = x;
  product.a_row = stride;
  product.weights = &weight;
  product.c = out;
  product.c_row = weight.inputs;
  product.depth = weight.outputs;
  product.accumulate = accumulate;
  run_product(context, product, rows, weight.inputs);
}

void add_weight_gradient(Context& context, const float* output_gradient, int64_t outputs,
                         int64_t gradient_stride, const float* input, int64_t inputs, int64_t input_stride,
                         int64_t rows, float* weight_gradient) {
  Product product;
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

// dX += dY · W, dW += dYᵀ · X, db += Σ dY.
void linear_backward(Context& context, Tape& tape, const LinearJob& job) {
  const Linear& layer = *job.layer;
  const Activations& input = job.input;
  const float* gradient = tape.find(job.output);
  if (gradient == nullptr) return;
  const Tape::Target target = tape.add_to(context.arena(), input.values, input.rows * input.columns);
  multiply_by_weights(context, layer.weight, gradient, input.rows, job.output_stride, target.data,
                      target.accumulate);
  if (float* weight_gradient = tape.weight_gradient(layer.weight.id)) {
    add_weight_gradient(context, gradient, layer.outputs(), job.output_stride, input.values, input.columns,
                        input.stride, input.rows, weight_gradient);
  }
  if (layer.bias.is_present()) {
    if (float* bias_gradient = tape.weight_gradient(layer.bias.id)) {
      context.backend().add_column_sums(gradient, input.rows, layer.outputs(), job.output_stride,
                                        bias_gradient);
    }
  }
  tape.forget(job.output, input.rows * job.output_stride);
}

void grouped_backward(Context& context, Tape& tape, const GroupedJob& job) {
  const float* gradient = tape.find(job.output);
  if (gradient == nullptr) return;
  std::vector<float*> weight_gradients;
  for (const Linear& layer : job.layers) weight_gradients.push_back(tape.weight_gradient(layer.weight.id));
  GroupedBackwardCall call;
  call.job = job;
  call.output_gradient = gradient;
  call.input_gradient =
      tape.add_to_zeroed(context.arena(), job.input.values, job.input.rows * job.input.columns);
  call.weight_gradients = weight_gradients;
  context.backend().grouped_backward(call);
  tape.forget(job.output, job.rows * job.layers[0].outputs());
}

const int32_t* upload(Context& context, std::span<const int32_t> values) {
  int32_t* copy = context.arena().allocate<int32_t>(static_cast<int64_t>(values.size()));
  context.backend().memory().upload(copy, values.data(), values.size_bytes());
  return copy;
}

}  // namespace r1
