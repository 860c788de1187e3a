#include "nn/linear.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "base/error.h"
#include "nn/adapter.h"
#include "nn/product.h"
#include "nn/tape.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

constexpr int64_t kGroup = kernels::kActivationGroup;
// A loop over fewer elements than this runs on the caller: starting the pool would cost more.
constexpr int64_t kSmallLoop = 16384;
constexpr int64_t kTasksPerThread = 12;
constexpr int64_t kPackedFromRows = 64;   // from so many rows on, packing pays
constexpr int64_t kRefinedOutputs = 128;  // sums of so many outputs stay in cache
constexpr int64_t kStreamedRows = 2;      // up to so many rows, reading the weights is all that matters

// Outputs of one task: enough tasks that uneven threads balance, each of at least some microseconds.
int64_t outputs_per_task(const LinearJob& job, double total_bytes, int threads) {
  const int64_t outputs = job.output_end - job.output_begin;
  if (threads == 1) return outputs;
  const double row_cost =
      static_cast<double>(job.layer->weight.row_bytes) * (1.0 + static_cast<double>(job.input.rows) / 8.0);
  const double wanted_cost = std::max(48e3, total_bytes / static_cast<double>(threads * kTasksPerThread));
  auto wanted = static_cast<int64_t>(wanted_cost / row_cost);
  const int64_t unit = wanted >= 128 ? 64 : kernels::kOutputPanel;
  wanted = std::max<int64_t>(unit, wanted / unit * unit);
  return std::min(outputs, wanted);
}

// A panel for coarse and left-over rows together, then their sum.
void run_refined_panel(Context& context, const LinearJob& job, int64_t begin, int64_t end, int thread) {
  const kernels::KernelTable& table = context.kernels();
  const kernels::WeightMatrix& weight = job.layer->weight;
  const int64_t rows = job.input.rows;
  const int64_t step = std::min<int64_t>(end - begin, rows == 1 ? 4 * kRefinedOutputs : kRefinedOutputs);
  const size_t kernel_bytes = (kernels::matmul_scratch_bytes(weight.inputs, 2 * rows) + 63) / 64 * 64;
  std::byte* scratch =
      context.thread_scratch(thread, kernel_bytes + static_cast<size_t>(2 * rows * step) * sizeof(float));
  auto* sums = reinterpret_cast<float*>(scratch + kernel_bytes);
  for (int64_t first = begin; first < end; first += step) {
    const int64_t count = std::min(step, end - first);
    table.matmul_quantised(weight, first, first + count, job.input.quantised, 2 * rows, sums - first, step,
                           scratch);
    for (int64_t row = 0; row < rows; ++row) {
      float* output = job.output + row * job.output_stride + (first - job.output_begin);
      std::copy_n(sums + row * step, count, output);
      table.add(output, sums + (rows + row) * step, count);
      if (job.layer->bias != nullptr) table.add(output, job.layer->bias + first, count);
    }
  }
}

void run_panel(Context& context, const LinearJob& job, int64_t begin, int64_t end, int thread) {
  const kernels::KernelTable& table = context.kernels();
  const kernels::WeightMatrix& weight = job.layer->weight;
  const Activations& input = job.input;
  if (input.refined && takes_quantised(context, weight)) {
    run_refined_panel(context, job, begin, end, thread);
    return;
  }
  std::byte* scratch =
      context.thread_scratch(thread, kernels::matmul_scratch_bytes(weight.inputs, input.rows));
  // The kernels index outputs from the matrix's first row.
  float* output = job.output - job.output_begin;
  if (!job.float_only && takes_quantised(context, weight)) {
    table.matmul_quantised(weight, begin, end, input.quantised, input.rows, output, job.output_stride,
                           scratch);
  } else {
    table.matmul_float(weight, begin, end, input.values, input.stride, input.rows, output, job.output_stride,
                       scratch);
  }
  if (job.layer->bias != nullptr) {
    for (int64_t row = 0; row < input.rows; ++row) {
      table.add(output + row * job.output_stride + begin, job.layer->bias + begin, end - begin);
    }
  }
}

// Whether the job runs as a product over packed panels. In block floating point the weight alone decides, so
// that a row has the same bits in any batch. In float32 both ways have the same bits: many rows decide.
bool takes_product(const Context& context, const LinearJob& job) {
  if (is_rounded(context, job.layer->weight)) return !job.float_only;
  return job.input.rows >= kPackedFromRows &&
         (job.float_only || !takes_quantised(context, job.layer->weight));
}

void run_as_product(Context& context, const LinearJob& job) {
  const int64_t outputs = job.output_end - job.output_begin;
  kernels::Product product;
  product.a = job.input.values;
  product.a_row = job.input.stride;
  set_weights(product, job.layer->weight, job.output_begin, true);
  product.c = job.output;
  product.c_row = job.output_stride;
  product.depth = job.layer->weight.inputs;
  run_product(context, product, job.input.rows, outputs);
  if (job.layer->bias == nullptr) return;
  context.parallel_for(job.input.rows, job.input.rows * outputs > kSmallLoop, [&](int64_t row, int) {
    context.kernels().add(job.output + row * job.output_stride, job.layer->bias + job.output_begin, outputs);
  });
}

struct StreamedTask {
  int64_t job = 0;
  int64_t begin = 0, end = 0;
};

// Calls emit(task) for each of the tasks that make up a thread's share of the jobs' bytes, in the order of
// memory: long ones first, as the kernels read long streams fastest, then shorter ones, which others may take
// over at the end. The last share takes what rounding left. `job` and `output` say where the share begins and
// are moved to where the next one does.
template <typename Emit>
void plan_share(std::span<const LinearJob> jobs, double share, bool last, int64_t& job, int64_t& output,
                const Emit& emit) {
  constexpr double kShortest = 48e3, kLongest = 512e3;  // bytes
  for (; job < static_cast<int64_t>(jobs.size()); ++job, output = 0) {
    const int64_t end = jobs[job].input.rows > 0 ? jobs[job].output_end : 0;
    const auto row_bytes = static_cast<double>(jobs[job].layer->weight.row_bytes);
    output = std::max(output, jobs[job].output_begin);
    while (output < end) {
      if (share <= 0 && !last) return;
      const auto wanted = static_cast<int64_t>(std::clamp(share / 2, kShortest, kLongest) / row_bytes);
      const int64_t unit = wanted >= 64 ? 64 : kernels::kOutputPanel;
      const int64_t count = std::min(std::max(unit, wanted / unit * unit), end - output);
      emit(StreamedTask{job, output, output + count});
      output += count;
      share -= static_cast<double>(count) * row_bytes;
    }
  }
}

void run_streamed_jobs(Context& context, std::span<const LinearJob> jobs) {
  Arena::Scope scope(context.arena());
  double bytes = 0;
  for (const LinearJob& job : jobs) {
    if (job.input.rows > 0) {
      bytes += static_cast<double>(job.layer->weight.row_bytes) *
               static_cast<double>(job.output_end - job.output_begin);
    }
  }
  const int64_t threads = context.pool().size();
  const double share = bytes / static_cast<double>(threads);
  // Twice the same walk: how many tasks a share has at most, then the tasks, each share with as many (some
  // empty), so that the pool gives each thread its own.
  int64_t most = 0;
  StreamedTask* tasks = nullptr;
  for (const bool counting : {true, false}) {
    if (!counting) {
      tasks = context.arena().allocate<StreamedTask>(threads * most);
      std::fill_n(tasks, threads * most, StreamedTask{});
    }
    int64_t job = 0, output = 0;
    for (int64_t thread = 0; thread < threads; ++thread) {
      int64_t count = 0;
      plan_share(jobs, share, thread + 1 == threads, job, output, [&](const StreamedTask& task) {
        if (!counting) tasks[thread * most + count] = task;
        ++count;
      });
      most = std::max(most, count);
    }
  }
  context.parallel_for(threads * most, true, [&](int64_t index, int thread) {
    const StreamedTask& task = tasks[index];
    if (task.begin < task.end) run_panel(context, jobs[task.job], task.begin, task.end, thread);
  });
}

}  // namespace

Activations Activations::slice(int64_t first, int64_t count) const {
  Activations part = *this;
  part.rows = count;
  if (values != nullptr) part.values += first * stride;
  if (quantised.values != nullptr) {
    part.quantised.values += first * columns;
    part.quantised.scales += first * (columns / kGroup);
    part.quantised.sums += first * (columns / 16);
  }
  return part;
}

bool takes_quantised(const Context& context, const kernels::WeightMatrix& weight) {
  return context.arithmetic() == Arithmetic::fast && is_quantised(weight.dtype);
}

kernels::QuantisedRows allocate_quantised(Context& context, int64_t rows, int64_t columns) {
  kernels::QuantisedRows out;
  out.values = context.arena().allocate<int8_t>(rows * columns);
  out.scales = context.arena().allocate<float>(rows * (columns / kGroup));
  out.sums = context.arena().allocate<int32_t>(rows * (columns / 16));
  return out;
}

Activations make_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                             int64_t stride, bool quantise) {
  Activations out{values, rows, columns, stride, {}, false};
  if (!quantise) return out;
  out.quantised = allocate_quantised(context, rows, columns);
  const int64_t step = std::max<int64_t>(1, kSmallLoop / columns);
  const int64_t tasks = (rows + step - 1) / step;
  context.parallel_for(tasks, rows * columns > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * step;
    const Activations part = out.slice(first, std::min(step, rows - first));
    context.kernels().quantise_rows(part.values, part.rows, columns, stride, part.quantised);
  });
  return out;
}

Activations make_refined_activations(Context& context, const float* values, int64_t rows, int64_t columns,
                                     int64_t stride) {
  Activations out{values, rows, columns, stride, allocate_quantised(context, 2 * rows, columns), true};
  const Activations all{nullptr, 2 * rows, columns, columns, out.quantised, false};
  context.parallel_for(rows, rows * columns > kSmallLoop / 4, [&](int64_t row, int thread) {
    const kernels::QuantisedRows coarse = all.slice(row, 1).quantised;
    const float* x = values + row * stride;
    context.kernels().quantise_rows(x, 1, columns, columns, coarse);
    auto* left = reinterpret_cast<float*>(context.thread_scratch(thread, columns * sizeof(float)));
    for (int64_t c = 0; c < columns; ++c) {
      left[c] = x[c] - coarse.scales[c / kGroup] * static_cast<float>(coarse.values[c]);
    }
    context.kernels().quantise_rows(left, 1, columns, columns, all.slice(rows + row, 1).quantised);
  });
  return out;
}

bool gains_by_refining(const Context& context, const kernels::WeightMatrix& weight) {
  return takes_quantised(context, weight) && weight.dtype == DType::q8_0;
}

void make_activations_of_pieces(Context& context, const float* values, int64_t rows, int64_t columns,
                                int64_t stride, int64_t columns_apart, bool quantise,
                                std::span<Activations> out) {
  const auto pieces = static_cast<int64_t>(out.size());
  Activations all{nullptr, rows * pieces, columns, stride, {}, false};
  if (quantise) all.quantised = allocate_quantised(context, rows * pieces, columns);
  for (int64_t p = 0; p < pieces; ++p) {
    out[p] = all.slice(p * rows, rows);
    out[p].values = values + p * columns_apart;
  }
  if (!quantise) return;
  context.parallel_for(pieces, rows * pieces * columns > kSmallLoop, [&](int64_t p, int) {
    context.kernels().quantise_rows(out[p].values, rows, columns, stride, out[p].quantised);
  });
}

Activations gather_rows(Context& context, const Activations& input, std::span<const int32_t> rows) {
  Activations out = input;
  out.rows = static_cast<int64_t>(rows.size());
  out.stride = input.columns;
  float* values = nullptr;
  if (input.values != nullptr) values = context.arena().allocate<float>(out.rows * input.columns);
  out.values = values;
  if (input.quantised.values != nullptr) {
    out.quantised = allocate_quantised(context, out.rows, input.columns);
  }
  Tape* tape = context.tape();
  if (tape != nullptr && values != nullptr) {
    tape->record([=](Context& own) { gather_backward(own, *tape, input, rows, values); });
  }
  for (int64_t i = 0; i < out.rows; ++i) {
    const Activations from = input.slice(rows[i], 1);
    const Activations to = out.slice(i, 1);
    if (values != nullptr) {
      std::memcpy(values + i * out.stride, from.values, static_cast<size_t>(input.columns) * sizeof(float));
    }
    if (input.quantised.values != nullptr) {
      std::memcpy(to.quantised.values, from.quantised.values, input.columns);
      std::memcpy(to.quantised.scales, from.quantised.scales, input.columns / kGroup * sizeof(float));
      std::memcpy(to.quantised.sums, from.quantised.sums, input.columns / 16 * sizeof(int32_t));
    }
  }
  return out;
}

namespace {

void run_panels(Context& context, std::span<const LinearJob> jobs) {
  const int threads = context.pool().size();
  if (threads > 1 && std::all_of(jobs.begin(), jobs.end(),
                                 [](const LinearJob& job) { return job.input.rows <= kStreamedRows; })) {
    run_streamed_jobs(context, jobs);
    return;
  }
  Arena::Scope scope(context.arena());
  double total_cost = 0;
  for (const LinearJob& job : jobs) {
    total_cost += static_cast<double>(job.layer->weight.row_bytes) *
                  (1.0 + static_cast<double>(job.input.rows) / 8.0) *
                  static_cast<double>(job.output_end - job.output_begin);
  }
  struct Piece {
    int64_t first_task;
    int64_t step;
  };
  const auto count = static_cast<int64_t>(jobs.size());
  Piece* pieces = context.arena().allocate<Piece>(count);
  int64_t tasks = 0;
  for (int64_t j = 0; j < count; ++j) {
    const LinearJob& job = jobs[j];
    const int64_t outputs = job.output_end - job.output_begin;
    pieces[j] = {tasks, outputs_per_task(job, total_cost, threads)};
    if (outputs > 0 && job.input.rows > 0) tasks += (outputs + pieces[j].step - 1) / pieces[j].step;
  }
  context.parallel_for(tasks, true, [&](int64_t task, int thread) {
    // The last piece that begins at or before this task; empty pieces share their successor's beginning.
    const Piece* piece = std::upper_bound(pieces, pieces + count, task,
                                          [](int64_t t, const Piece& p) { return t < p.first_task; }) -
                         1;
    const LinearJob& job = jobs[piece - pieces];
    const int64_t begin = job.output_begin + (task - piece->first_task) * piece->step;
    run_panel(context, job, begin, std::min(begin + piece->step, job.output_end), thread);
  });
}

void run_plain_jobs(Context& context, std::span<const LinearJob> jobs) {
  Arena::Scope scope(context.arena());
  LinearJob* others = context.arena().allocate<LinearJob>(static_cast<int64_t>(jobs.size()));
  size_t count = 0;
  for (const LinearJob& job : jobs) {
    if (takes_product(context, job)) {
      run_as_product(context, job);
    } else {
      others[count++] = job;
    }
  }
  if (count > 0) run_panels(context, {others, count});
}

}  // namespace

void run_linear_jobs(Context& context, std::span<const LinearJob> jobs) {
  if (Tape* tape = context.tape()) {
    for (const LinearJob& job : jobs) {
      if (job.output_begin != 0 || job.output_end != job.layer->outputs() || job.input.values == nullptr ||
          job.input.stride != job.input.columns) {
        throw std::logic_error("run_linear_jobs: a tape records whole layers over float32 rows only");
      }
      tape->record([tape, job](Context& own) { linear_backward(own, *tape, job); });
    }
  }
  const bool unread = jobs.size() == 1 && context.tape() != nullptr && is_unread(context, jobs[0]);
  if (!unread) run_plain_jobs(context, jobs);
  if (const AdapterRows* adapters = context.adapters()) {
    for (const LinearJob& job : jobs) add_low_rank_terms(context, *adapters, job);
  }
}

LinearJob whole_layer(const Linear& layer, const Activations& input, float* output) {
  return {&layer, input, output, layer.outputs(), 0, layer.outputs(), false};
}

void linear(Context& context, const Linear& layer, const Activations& input, float* output) {
  const LinearJob job = whole_layer(layer, input, output);
  run_linear_jobs(context, {&job, 1});
}

void run_transposed_jobs(Context& context, std::span<const TransposedJob> jobs, int64_t rows) {
  if (rows == 0) return;
  context.parallel_for(static_cast<int64_t>(jobs.size()), true, [&](int64_t index, int thread) {
    const TransposedJob& job = jobs[index];
    context.kernels().matmul_transposed(*job.weight, job.row_begin, job.rows_used, job.input,
                                        job.input_stride, rows, job.output, job.output_stride,
                                        context.thread_scratch(thread, kernels::transposed_scratch_bytes()));
  });
}

void decode_weight_row(const kernels::WeightMatrix& weight, int64_t row, std::span<float> out) {
  dequantise_matrix_row(weight.dtype, weight.data + static_cast<size_t>(row) * weight.row_bytes,
                        weight.block_scales, row, weight.inputs, 0, out);
}

}  // namespace r1
