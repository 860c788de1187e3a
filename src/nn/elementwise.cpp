#include "nn/elementwise.h"

#include <algorithm>

#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kSmallLoop = 16384;  // elements; fewer run on the caller
constexpr int64_t kSwigluColumns =
    2048;  // of one piece: a multiple of 64, so that vector tails lie at row ends

}  // namespace

void embed(Context& context, const kernels::WeightMatrix& table, std::span<const int32_t> tokens,
           float* out) {
  const auto rows = static_cast<int64_t>(tokens.size());
  if (Tape* tape = context.tape()) {
    if (float* table_gradient = tape->weight_gradient(table.data)) {
      tape->record([=, columns = table.inputs](Context& own) {
        if (const float* gradient = tape->find(out))
          embed_backward(own, tokens, gradient, columns, table_gradient);
      });
    }
  }
  context.parallel_for(rows, rows * table.inputs > kSmallLoop, [&](int64_t row, int) {
    decode_weight_row(table, tokens[row], {out + row * table.inputs, static_cast<size_t>(table.inputs)});
  });
}

WantedForms WantedForms::of(const Context& context, std::span<const Linear* const> layers) {
  WantedForms wanted{false, false};
  for (const Linear* layer : layers) {
    (takes_quantised(context, layer->weight) ? wanted.quantised : wanted.floats) = true;
  }
  if (context.adapters() != nullptr) wanted.floats = true;  // they take float32 rows
  return wanted;
}

Activations add_rms_norm(Context& context, float* x, const float* addend, const float* weight, int64_t rows,
                         int64_t columns, float epsilon, WantedForms wanted) {
  const kernels::KernelTable& table = context.kernels();
  float* normed = context.arena().allocate<float>(rows * columns);
  Activations out{normed, rows, columns, columns, {}, false};
  if (wanted.quantised) out.quantised = allocate_quantised(context, rows, columns);
  float* saved = nullptr;
  if (Tape* tape = context.tape()) {
    saved = context.arena().allocate<float>(rows * columns);
    const NormRecord record{x, addend, saved, normed, weight, rows, columns, epsilon};
    tape->record([tape, record](Context& own) { add_rms_norm_backward(own, *tape, record); });
  }
  context.parallel_for(rows, rows * columns > kSmallLoop, [&](int64_t row, int) {
    float* own = x + row * columns;
    if (addend != nullptr) table.add(own, addend + row * columns, columns);
    if (saved != nullptr) std::copy_n(own, columns, saved + row * columns);
    table.rms_norm(own, weight, columns, epsilon, normed + row * columns);
    if (wanted.quantised) {
      table.quantise_rows(normed + row * columns, 1, columns, columns, out.slice(row, 1).quantised);
    }
  });
  return out;
}

void add_in_place(Context& context, float* x, const float* addend, int64_t count) {
  if (Tape* tape = context.tape()) {
    tape->record([=](Context& own) { copy_gradient(own, *tape, x, addend, count); });
  }
  const int64_t tasks = (count + kSwigluColumns - 1) / kSwigluColumns;
  context.parallel_for(tasks, count > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kSwigluColumns;
    context.kernels().add(x + first, addend + first, std::min(kSwigluColumns, count - first));
  });
}

void rms_norm_in_place(Context& context, float* x, const float* weight, int64_t rows, int64_t columns,
                       int64_t stride, float epsilon) {
  context.parallel_for(rows, rows * columns > kSmallLoop, [&](int64_t row, int) {
    context.kernels().rms_norm(x + row * stride, weight, columns, epsilon, x + row * stride);
  });
}

Activations swiglu(Context& context, float* gate, const float* up, int64_t rows, int64_t columns,
                   WantedForms wanted) {
  const kernels::KernelTable& table = context.kernels();
  float* floats = wanted.floats ? gate : nullptr;
  if (Tape* tape = context.tape()) {
    floats = context.arena().allocate<float>(rows * columns);
    tape->record([=](Context& own) { swiglu_backward(own, *tape, gate, up, floats, rows * columns); });
  }
  Activations out{floats, rows, columns, columns, {}, false};
  if (wanted.quantised) out.quantised = allocate_quantised(context, rows, columns);
  const int64_t pieces = (columns + kSwigluColumns - 1) / kSwigluColumns;
  context.parallel_for(rows * pieces, rows * columns > kSmallLoop / 4, [&](int64_t task, int thread) {
    const int64_t row = task / pieces;
    const int64_t first = task % pieces * kSwigluColumns;
    const int64_t count = std::min(kSwigluColumns, columns - first);
    float* own = gate + row * columns + first;
    float* result = nullptr;
    if (floats != nullptr) {
      result = floats + row * columns + first;
    } else {
      result = reinterpret_cast<float*>(context.thread_scratch(thread, kSwigluColumns * sizeof(float)));
    }
    table.swiglu(own, up + row * columns + first, count, result);
    if (wanted.quantised) {
      kernels::QuantisedRows part = out.quantised;
      const int64_t offset = row * columns + first;
      part.values += offset;
      part.scales += offset / kernels::kActivationGroup;
      part.sums += offset / 16;
      table.quantise_rows(result, 1, count, count, part);
    }
  });
  return out;
}

}  // namespace r1
