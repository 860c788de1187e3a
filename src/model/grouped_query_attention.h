// Attention with heads that share keys and values in equal groups, and rotary positions.
#pragma once

#include <cstdint>

#include "model/batch_plan.h"
#include "nn/weight.h"

namespace r1 {

/// Rotary positions over whole heads.
struct GroupedQueryAttention {
  Linear query, key, value, output;
  int64_t heads = 0;
  int64_t key_value_heads = 0;
  int64_t head_columns = 0;
  RopeStyle style = RopeStyle::half_split;
  /// The norm of each head's queries and keys before they are rotated (Qwen3); absent in other models.
  WeightVector query_norm, key_norm;
  float epsilon = 0;   // of that norm
  int64_t window = 0;  // positions that a query sees, itself included; 0: all up to itself

  /// Stores keys and values of all rows of the batch in the cache and writes the attention's contribution of
  /// the active rows to out [active, hidden]. normed: all rows, made for query, key and value.
  void run(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
           const Activations& normed, KvCache& cache, float* out) const;
};

}  // namespace r1
