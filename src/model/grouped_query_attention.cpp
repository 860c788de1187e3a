#include "model/grouped_query_attention.h"

#include <cmath>

#include "nn/attention.h"
#include "nn/elementwise.h"
#include "nn/linear.h"
#include "nn/rope.h"

namespace r1 {

void GroupedQueryAttention::run(Context& context, int64_t layer, const BatchPlan& plan,
                                const ActiveRows& active, const Activations& normed, KvCache& cache,
                                float* out) const {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t query_columns = heads * head_columns;
  const int64_t key_columns = key_value_heads * head_columns;
  float* queries = arena.allocate<float>(active.count * query_columns);
  float* keys = arena.allocate<float>(plan.rows * key_columns);
  float* values = arena.allocate<float>(plan.rows * key_columns);
  const Activations query_input =
      active.is_all() ? normed : gather_rows(context, normed, active.rows, active.count, active.set);
  const LinearJob jobs[] = {whole_layer(query, query_input, queries), whole_layer(key, normed, keys),
                            whole_layer(value, normed, values)};
  run_linear_jobs(context, jobs);

  if (query_norm.is_present()) {
    // The norm's result lies in the arena and is read by nobody else: it is rotated in place.
    const auto normed_heads = [&](float* x, const WeightVector& weight, int64_t count) {
      return const_cast<float*>(
          add_rms_norm(context, x, nullptr, weight, count, head_columns, epsilon).values);
    };
    queries = normed_heads(queries, query_norm, active.count * heads);
    keys = normed_heads(keys, key_norm, plan.rows * key_value_heads);
  }
  const RotateCall rotations[] = {
      {style, plan.rope, nullptr, keys, plan.rows, key_value_heads, head_columns, key_columns},
      {style, plan.rope, active.rows, queries, active.count, heads, head_columns, query_columns}};
  rotate(context, rotations);
  AttentionCall call;
  call.keys = cache.keys(layer);
  call.values = cache.values(layer);
  const StoreCall stores[] = {{keys, plan.rows, key_value_heads, head_columns, call.keys, plan.places},
                              {values, plan.rows, key_value_heads, head_columns, call.values, plan.places}};
  store_rows(context, stores);
  if (active.count == 0) return;

  call.heads = heads;
  call.key_value_heads = key_value_heads;
  call.key_columns = call.value_columns = head_columns;
  call.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_columns)));
  call.window = window;
  call.block_tokens = KvCache::kBlockTokens;
  call.queries = queries;
  float* attended = arena.allocate<float>(active.count * query_columns);
  call.output = attended;
  call.sequences = active.sequences;
  paged_attention(context, call);
  record_attention(context, call, keys, values);
  const Linear* reader = &output;
  linear(context, output,
         make_activations(context, attended, active.count, query_columns, query_columns, {{&reader, 1}},
                          active.set),
         out);
}

}  // namespace r1
