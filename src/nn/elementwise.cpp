#include "nn/elementwise.h"

#include "nn/tape.h"

namespace r1 {
namespace {

// What the backward of add_rms_norm needs. `saved` is x after the addition, kept since x goes on changing.
struct NormRecord {
  const float* x = nullptr;
  const float* addend = nullptr;  // or null
  const float* saved = nullptr;
  const float* normed = nullptr;
  WeightVector weight;
  int64_t rows = 0, columns = 0;
  float epsilon = 0;
};

void add_rms_norm_backward(Context& context, Tape& tape, const NormRecord& record) {
  const int64_t count = record.rows * record.columns;
  const float* gradient = tape.find(record.normed);
  float* x_gradient = tape.add_to_zeroed(context.arena(), record.x, count);
  if (gradient != nullptr) {
    context.backend().rms_norm_backward({record.saved, record.columns, record.weight.values, gradient,
                                         record.columns, record.rows, record.columns, record.epsilon,
                                         x_gradient, record.columns, tape.weight_gradient(record.weight.id)});
    tape.forget(record.normed, count);
  }
  if (record.addend != nullptr) copy_gradient(context, tape, record.x, record.addend, count);
}

void swiglu_backward(Context& context, Tape& tape, const float* gate, const float* up, const float* out,
                     int64_t count) {
  const float* gradient = tape.find(out);
  if (gradient == nullptr) return;
  // Nothing else reads gate and up.
  float* gate_gradient = tape.add_to(context.arena(), gate, count).data;
  float* up_gradient = tape.add_to(context.arena(), up, count).data;
  context.backend().swiglu_backward({gate, up, gradient, count, gate_gradient, up_gradient});
  tape.forget(out, count);
}

}  // namespace

void embed(Context& context, const Weight& table, std::span<const int32_t> tokens, float* out) {
  if (Tape* tape = context.tape()) {
    if (float* table_gradient = tape->weight_gradient(table.id)) {
      tape->record([=, columns = table.inputs](Context& later) {
        if (const float* gradient = tape->find(out))
          later.backend().embed_backward(tokens, gradient, columns, table_gradient);
      });
    }
  }
  context.backend().embed(table, tokens, out);
}

Activations add_rms_norm(Context& context, float* x, const float* addend, const WeightVector& weight,
                         int64_t rows, int64_t columns, float epsilon, const Readers& readers,
                         RowSet row_set) {
  NormCall call{x, addend, weight.values, rows, columns, epsilon, nullptr, nullptr, readers};
  call.out = context.arena().allocate<float>(rows * columns);
  if (Tape* tape = context.tape()) {
    call.saved = context.arena().allocate<float>(rows * columns);
    const NormRecord record{x, addend, call.saved, call.out, weight, rows, columns, epsilon};
    tape->record([tape, record](Context& later) { add_rms_norm_backward(later, *tape, record); });
  }
  Activations out = context.backend().add_rms_norm(call);
  out.row_set = row_set;
  return out;
}

void add_in_place(Context& context, float* x, const float* addend, int64_t count) {
  if (Tape* tape = context.tape()) {
    tape->record([=](Context& later) { copy_gradient(later, *tape, x, addend, count); });
  }
  context.backend().add(x, addend, count);
}

void copy_gradient(Context& context, Tape& tape, const float* from, const float* to, int64_t count) {
  const float* source = tape.find(from);
  if (source == nullptr) return;
  const Tape::Target target = tape.add_to(context.arena(), to, count);
  if (target.accumulate) {
    context.backend().add(target.data, source, count);
  } else {
    context.backend().copy(target.data, source, count);
  }
}

Activations swiglu(Context& context, float* gate, const float* up, int64_t rows, int64_t columns,
                   const Readers& readers, RowSet row_set) {
  SwigluCall call{gate, up, rows, columns, gate, true, readers};
  if (Tape* tape = context.tape()) {
    call.out = context.arena().allocate<float>(rows * columns);
    tape->record([=](Context& later) { swiglu_backward(later, *tape, gate, up, call.out, rows * columns); });
  } else {
    call.needs_floats = context.adapters() != nullptr;  // which take float32 rows
  }
  Activations out = context.backend().swiglu(call);
  out.row_set = row_set;
  return out;
}

}  // namespace r1
