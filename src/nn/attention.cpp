#include "nn/attention.h"

#include "nn/tape.h"

namespace r1 {
namespace {

void attention_backward(Context& context, Tape& tape, const AttentionCall& call, const float* keys,
                        const float* values) {
  const float* output_gradient = tape.find(call.output);
  if (output_gradient == nullptr) return;
  Arena& arena = context.arena();
  int64_t rows = 0;
  for (const SequenceRows& sequence : call.sequences) rows += sequence.rows;
  AttentionBackwardCall back;
  back.heads = call.heads;
  back.key_value_heads = call.key_value_heads;
  back.key_columns = call.key_columns;
  back.value_columns = call.value_columns;
  back.scale = call.scale;
  back.window = call.window;
  back.queries = call.queries;
  back.keys = keys;
  back.values = values;
  back.output = call.output;
  back.sequences = call.sequences;
  back.output_gradient = output_gradient;
  back.query_gradient = tape.add_to_zeroed(arena, call.queries, rows * call.heads * call.key_columns);
  back.key_gradient = tape.add_to_zeroed(arena, keys, rows * call.key_value_heads * call.key_columns);
  back.value_gradient =
      values == keys ? back.key_gradient
                     : tape.add_to_zeroed(arena, values, rows * call.key_value_heads * call.value_columns);
  context.backend().attention_backward(back);
  tape.forget(call.output, rows * call.heads * call.value_columns);
}

}  // namespace

void store_rows(Context& context, std::span<const StoreCall> calls) {
  context.backend().store(calls);
}

void paged_attention(Context& context, const AttentionCall& call) {
  context.backend().attention(call);
}

void record_attention(Context& context, const AttentionCall& call, const float* keys, const float* values) {
  if (Tape* tape = context.tape()) {
    tape->record([=](Context& later) { attention_backward(later, *tape, call, keys, values); });
  }
}

}  // namespace r1
