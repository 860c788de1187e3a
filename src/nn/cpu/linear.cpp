// Linear layers: jobs cut into panels of outputs, which threads share.
#include <algorithm>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

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

}  // namespace

// A panel for coarse and left-over rows together, then their sum.
void CpuBackend::run_refined_panel(const LinearJob& job, int64_t begin, int64_t end, int thread) {
  const kernels::KernelTable& table = *table_;
  const kernels::WeightMatrix weight = matrix_of(job.layer->weight);
  const int64_t rows = job.input.rows;
  const int64_t step = std::min<int64_t>(end - begin, rows == 1 ? 4 * kRefinedOutputs : kRefinedOutputs);
  const size_t kernel_bytes = (kernels::matmul_scratch_bytes(weight.inputs, 2 * rows) + 63) / 64 * 64;
  std::byte* scratch =
      thread_scratch(thread, kernel_bytes + static_cast<size_t>(2 * rows * step) * sizeof(float));
  auto* sums = reinterpret_cast<float*>(scratch + kernel_bytes);
  // The int8 rows and their rests are neighbours: refined rows are always whole.
  const kernels::QuantisedRows input = quantised_rows(job.input.prepared, weight.inputs);
  for (int64_t first = begin; first < end; first += step) {
    const int64_t count = std::min(step, end - first);
    table.matmul_quantised(weight, first, first + count, input, 2 * rows, sums - first, step, scratch);
    for (int64_t row = 0; row < rows; ++row) {
      float* output = job.output + row * job.output_stride + (first - job.output_begin);
      std::copy_n(sums + row * step, count, output);
      table.add(output, sums + (rows + row) * step, count);
      if (job.layer->bias.is_present()) table.add(output, job.layer->bias.values + first, count);
    }
  }
}

void CpuBackend::run_panel(const LinearJob& job, int64_t begin, int64_t end, int thread) {
  const kernels::KernelTable& table = *table_;
  const kernels::WeightMatrix weight = matrix_of(job.layer->weight);
  const Activations& input = job.input;
  const bool int8 = !job.float_only && takes_int8(job.layer->weight);
  if (int8 && input.prepared.form == kRefined) {
    run_refined_panel(job, begin, end, thread);
    return;
  }
  std::byte* scratch = thread_scratch(thread, kernels::matmul_scratch_bytes(weight.inputs, input.rows));
  // The kernels index outputs from the matrix's first row.
  float* output = job.output - job.output_begin;
  if (int8) {
    table.matmul_quantised(weight, begin, end, quantised_rows(input.prepared, weight.inputs), input.rows,
                           output, job.output_stride, scratch);
  } else {
    table.matmul_float(weight, begin, end, input.values, input.stride, input.rows, output, job.output_stride,
                       scratch);
  }
  if (job.layer->bias.is_present()) {
    for (int64_t row = 0; row < input.rows; ++row) {
      table.add(output + row * job.output_stride + begin, job.layer->bias.values + begin, end - begin);
    }
  }
}

// Whether the job runs as a product over packed panels. In block floating point the weight alone decides, so
// that a row has the same bits in any batch. In float32 both ways have the same bits: many rows decide.
bool CpuBackend::runs_as_product(const LinearJob& job) const {
  if (is_rounded(job.layer->weight)) return !job.float_only;
  return job.input.rows >= kPackedFromRows && (job.float_only || !takes_int8(job.layer->weight));
}

void CpuBackend::run_as_product(const LinearJob& job) {
  const int64_t outputs = job.output_end - job.output_begin;
  Product call;
  call.a = job.input.values;
  call.a_row = job.input.stride;
  call.weights = &job.layer->weight;
  call.first_weight_row = job.output_begin;
  call.transposed = true;
  call.c = job.output;
  call.c_row = job.output_stride;
  call.depth = job.layer->weight.inputs;
  product(call, job.input.rows, outputs);
  if (!job.layer->bias.is_present()) return;
  parallel_for(job.input.rows, job.input.rows * outputs > kSmallLoop, [&](int64_t row, int) {
    table_->add(job.output + row * job.output_stride, job.layer->bias.values + job.output_begin, outputs);
  });
}

void CpuBackend::run_streamed_jobs(std::span<const LinearJob> jobs) {
  Arena::Scope scope(arena());
  double bytes = 0;
  for (const LinearJob& job : jobs) {
    if (job.input.rows > 0) {
      bytes += static_cast<double>(job.layer->weight.row_bytes) *
               static_cast<double>(job.output_end - job.output_begin);
    }
  }
  const int64_t threads = pool_->size();
  const double share = bytes / static_cast<double>(threads);
  // Twice the same walk: how many tasks a share has at most, then the tasks, each share with as many (some
  // empty), so that the pool gives each thread its own.
  int64_t most = 0;
  StreamedTask* tasks = nullptr;
  for (const bool counting : {true, false}) {
    if (!counting) {
      tasks = arena().allocate_host<StreamedTask>(threads * most);
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
  parallel_for(threads * most, true, [&](int64_t index, int thread) {
    const StreamedTask& task = tasks[index];
    if (task.begin < task.end) run_panel(jobs[task.job], task.begin, task.end, thread);
  });
}

void CpuBackend::run_panels(std::span<const LinearJob> jobs) {
  const int threads = pool_->size();
  if (threads > 1 && std::all_of(jobs.begin(), jobs.end(),
                                 [](const LinearJob& job) { return job.input.rows <= kStreamedRows; })) {
    run_streamed_jobs(jobs);
    return;
  }
  Arena::Scope scope(arena());
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
  Piece* pieces = arena().allocate_host<Piece>(count);
  int64_t tasks = 0;
  for (int64_t j = 0; j < count; ++j) {
    const LinearJob& job = jobs[j];
    const int64_t outputs = job.output_end - job.output_begin;
    pieces[j] = {tasks, outputs_per_task(job, total_cost, threads)};
    if (outputs > 0 && job.input.rows > 0) tasks += (outputs + pieces[j].step - 1) / pieces[j].step;
  }
  parallel_for(tasks, true, [&](int64_t task, int thread) {
    // The last piece that begins at or before this task; empty pieces share their successor's beginning.
    const Piece* piece = std::upper_bound(pieces, pieces + count, task,
                                          [](int64_t t, const Piece& p) { return t < p.first_task; }) -
                         1;
    const LinearJob& job = jobs[piece - pieces];
    const int64_t begin = job.output_begin + (task - piece->first_task) * piece->step;
    run_panel(job, begin, std::min(begin + piece->step, job.output_end), thread);
  });
}

void CpuBackend::run_jobs(std::span<const LinearJob> jobs) {
  Arena::Scope scope(arena());
  LinearJob* others = arena().allocate_host<LinearJob>(static_cast<int64_t>(jobs.size()));
  size_t count = 0;
  for (const LinearJob& job : jobs) {
    if (runs_as_product(job)) {
      run_as_product(job);
    } else {
      others[count++] = job;
    }
  }
  if (count > 0) run_panels({others, count});
}

void CpuBackend::linear(std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) {
  if (groups.empty()) {
    run_jobs(jobs);
    return;
  }
  Arena::Scope scope(arena());
  auto most = static_cast<int64_t>(jobs.size());
  for (const GroupedJob& group : groups) {
    most += std::min(static_cast<int64_t>(group.layers.size()), group.rows);
  }
  LinearJob* all = arena().allocate_host<LinearJob>(most);
  size_t count = 0;
  for (const GroupedJob& group : groups) {
    for (size_t e = 0; e < group.layers.size(); ++e) {
      const int64_t begin = group.begin[e], rows = group.begin[e + 1] - begin;
      if (rows == 0) continue;
      const Linear& layer = group.layers[e];
      const Activations input = group.input.slice(group.same_row ? 0 : begin, group.same_row ? 1 : rows);
      all[count++] = {&layer,          input, group.output + begin * layer.outputs(), layer.outputs(), 0,
                      layer.outputs(), false};
    }
  }
  for (const LinearJob& job : jobs) all[count++] = job;
  run_jobs({all, count});
}

void CpuBackend::grouped_backward(const GroupedBackwardCall& call) {
  const GroupedJob& job = call.job;
  const int64_t columns = job.input.columns;
  for (size_t e = 0; e < job.layers.size(); ++e) {
    const int64_t begin = job.begin[e], rows = job.begin[e + 1] - begin;
    if (rows == 0) continue;
    const Weight& weight = job.layers[e].weight;
    const int64_t first = job.same_row ? 0 : begin;
    const float* gradient = call.output_gradient + begin * weight.outputs;
    Product input;
    input.a = gradient;
    input.a_row = weight.outputs;
    input.weights = &weight;
    input.c = call.input_gradient + first * columns;
    input.c_row = columns;
    input.depth = weight.outputs;
    input.accumulate = true;
    product(input, rows, columns);
    if (call.weight_gradients[e] == nullptr) continue;
    product({gradient, 1, weight.outputs, job.input.values + first * columns, columns, 1,
             call.weight_gradients[e], columns, rows, true},
            weight.outputs, columns);
  }
}

}  // namespace r1::cpu
