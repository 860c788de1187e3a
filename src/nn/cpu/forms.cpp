// Activations in the forms that the CPU's products take.
#include <algorithm>
#include <cstring>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr int64_t kGroup = kernels::kActivationGroup;
constexpr int64_t kSwigluColumns =
    2048;  // of a piece: a multiple of 64, so that vector tails are at row ends

int64_t row_capacity(const PreparedRows& prepared) {
  return prepared.form == kRefined ? 2 * prepared.total : prepared.total;
}

void copy_row(const PreparedRows& from, int64_t from_row, const PreparedRows& to, int64_t to_row,
              int64_t columns) {
  const kernels::QuantisedRows source = quantised_rows(from, columns, from_row);
  const kernels::QuantisedRows target = quantised_rows(to, columns, to_row);
  std::memcpy(target.values, source.values, columns);
  std::memcpy(target.scales, source.scales, columns / kGroup * sizeof(float));
  std::memcpy(target.sums, source.sums, columns / 16 * sizeof(int32_t));
}

}  // namespace

kernels::QuantisedRows quantised_rows(const PreparedRows& prepared, int64_t columns, int64_t row) {
  const int64_t capacity = row_capacity(prepared), first = prepared.first + row;
  auto* scales = reinterpret_cast<float*>(prepared.memory + capacity * columns);
  auto* sums = reinterpret_cast<int32_t*>(scales + capacity * (columns / kGroup));
  return {reinterpret_cast<int8_t*>(prepared.memory) + first * columns, scales + first * (columns / kGroup),
          sums + first * (columns / 16)};
}

bool CpuBackend::takes_int8(const Weight& weight) const {
  return arithmetic() == Arithmetic::fast && is_quantised(weight.dtype);
}

bool CpuBackend::reads_floats(const Readers& readers) const {
  return readers.layers.empty() ||
         std::ranges::any_of(readers.layers, [&](const Linear* layer) { return !takes_int8(layer->weight); });
}

Form CpuBackend::form_for(const Readers& readers) const {
  if (std::ranges::none_of(readers.layers, [&](const Linear* layer) { return takes_int8(layer->weight); })) {
    return kFloats;
  }
  if (readers.rounding == Rounding::finest) return kRefined;
  // A weight that is rounded to 8 bits is nearly exact beside its activations.
  const bool gains = readers.layers[0]->weight.dtype == DType::q8_0;
  return readers.rounding == Rounding::careful && gains ? kRefined : kInt8;
}

PreparedRows CpuBackend::allocate_rows(Form form, int64_t rows, int64_t columns) {
  PreparedRows out;
  if (form == kFloats) return out;
  out.total = rows;
  out.form = form;
  const int64_t of_row = columns + columns / kGroup * static_cast<int64_t>(sizeof(float)) +
                         columns / 16 * static_cast<int64_t>(sizeof(int32_t));
  out.memory = arena().allocate<std::byte>(row_capacity(out) * of_row);
  return out;
}

// One row, and what quantising it left over.
void CpuBackend::quantise_refined(const float* x, const PreparedRows& out, int64_t row, int64_t columns,
                                  int thread) {
  const kernels::QuantisedRows coarse = quantised_rows(out, columns, row);
  table_->quantise_rows(x, 1, columns, columns, coarse);
  auto* rest = reinterpret_cast<float*>(thread_scratch(thread, columns * sizeof(float)));
  for (int64_t c = 0; c < columns; ++c) {
    rest[c] = x[c] - coarse.scales[c / kGroup] * static_cast<float>(coarse.values[c]);
  }
  table_->quantise_rows(rest, 1, columns, columns, quantised_rows(out, columns, out.total + row));
}

Activations CpuBackend::prepare(const Activations& rows, const Readers& readers) {
  Activations out = rows;
  const Form form = form_for(readers);
  out.prepared = allocate_rows(form, rows.rows, rows.columns);
  if (form == kFloats) return out;
  const int64_t columns = rows.columns;
  if (form == kRefined) {
    parallel_for(rows.rows, rows.rows * columns > kSmallLoop / 4, [&](int64_t row, int thread) {
      quantise_refined(rows.values + row * rows.stride, out.prepared, row, columns, thread);
    });
    return out;
  }
  const int64_t step = std::max<int64_t>(1, kSmallLoop / columns);
  const int64_t tasks = (rows.rows + step - 1) / step;
  parallel_for(tasks, rows.rows * columns > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * step;
    table_->quantise_rows(rows.values + first * rows.stride, std::min(step, rows.rows - first), columns,
                          rows.stride, quantised_rows(out.prepared, columns, first));
  });
  return out;
}

Activations CpuBackend::add_rms_norm(const NormCall& call) {
  Activations out;
  out.values = call.out;
  out.rows = call.rows;
  out.columns = out.stride = call.columns;
  const Form form = form_for(call.readers);
  out.prepared = allocate_rows(form, call.rows, call.columns);
  const int64_t columns = call.columns;
  parallel_for(call.rows, call.rows * columns > kSmallLoop, [&](int64_t row, int thread) {
    float* x = call.x + row * columns;
    float* normed = call.out + row * columns;
    if (call.addend != nullptr) table_->add(x, call.addend + row * columns, columns);
    if (call.saved != nullptr) std::copy_n(x, columns, call.saved + row * columns);
    table_->rms_norm(x, call.weight, columns, call.epsilon, normed);
    if (form == kInt8) {
      table_->quantise_rows(normed, 1, columns, columns, quantised_rows(out.prepared, columns, row));
    } else if (form == kRefined) {
      quantise_refined(normed, out.prepared, row, columns, thread);
    }
  });
  return out;
}

Activations CpuBackend::swiglu(const SwigluCall& call) {
  const bool floats = call.needs_floats || reads_floats(call.readers);
  const Form form = form_for(call.readers);
  Activations out;
  out.values = floats || form == kRefined ? call.out : nullptr;
  out.rows = call.rows;
  out.columns = out.stride = call.columns;
  if (form != kRefined) out.prepared = allocate_rows(form, call.rows, call.columns);
  const int64_t columns = call.columns;
  const int64_t pieces = (columns + kSwigluColumns - 1) / kSwigluColumns;
  parallel_for(call.rows * pieces, call.rows * columns > kSmallLoop / 4, [&](int64_t task, int thread) {
    const int64_t row = task / pieces;
    const int64_t first = task % pieces * kSwigluColumns;
    const int64_t count = std::min(kSwigluColumns, columns - first);
    const int64_t at = row * columns + first;
    float* result = out.values != nullptr
                        ? call.out + at
                        : reinterpret_cast<float*>(thread_scratch(thread, kSwigluColumns * sizeof(float)));
    table_->swiglu(call.gate + at, call.up + at, count, result);
    if (form != kInt8) return;
    kernels::QuantisedRows part = quantised_rows(out.prepared, columns, row);
    part.values += first;
    part.scales += first / kGroup;
    part.sums += first / 16;
    table_->quantise_rows(result, 1, count, count, part);
  });
  return form == kRefined ? prepare(out, call.readers) : out;
}

Activations CpuBackend::gather(const Activations& input, const int32_t* rows, int64_t count) {
  Activations out = input;
  out.rows = count;
  out.stride = input.columns;
  if (input.values != nullptr) {
    float* values = arena().allocate<float>(count * input.columns);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(input.values + rows[i] * input.stride, input.columns, values + i * input.columns);
    }
    out.values = values;
  }
  const auto form = static_cast<Form>(input.prepared.form);
  out.prepared = allocate_rows(form, count, input.columns);
  for (int64_t i = 0; i < count && form != kFloats; ++i) {
    copy_row(input.prepared, rows[i], out.prepared, i, input.columns);
    if (form == kRefined) {
      copy_row(input.prepared, input.prepared.total + rows[i], out.prepared, count + i, input.columns);
    }
  }
  return out;
}

void CpuBackend::take_rows(float* to, const float* from, const int32_t* rows, int64_t count,
                           int64_t columns) {
  for (int64_t i = 0; i < count; ++i) std::copy_n(from + rows[i] * columns, columns, to + i * columns);
}

}  // namespace r1::cpu
