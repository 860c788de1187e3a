// Causal attention over a paged cache, for all slices of a packed batch at once.
#pragma once

#include <span>

#include "nn/context.h"

namespace r1 {

/// Runs kernels::attention over slices × heads × chunks of rows, and over segments of keys where these are
/// too few for all threads. The keys and values of the slices' own
/// positions are in the cache already.
void paged_attention(Context& context, const kernels::AttentionShape& shape,
                     std::span<const kernels::AttentionSlice> slices);

class Tape;
/// The attention of a training batch: every sequence from its first token on, its keys and values (rotated,
/// float32) beside the queries. What backward needs; nothing of it may change until then.
struct PackedAttention {
  const float* queries = nullptr;  // [rows, heads · key_columns]
  const float* keys = nullptr;     // [rows, key_value_heads · key_columns]
  const float* values = nullptr;  // [rows, key_value_heads · value_columns]; keys: the first columns of each
  const float* output = nullptr;  // [rows, heads · value_columns]
  int64_t rows = 0;
  int64_t heads = 0, key_value_heads = 0, key_columns = 0, value_columns = 0;
  float scale = 0;
  std::span<const kernels::AttentionSlice> slices;  // their rows, end to end
};
void attention_backward(Context& context, Tape& tape, const PackedAttention& record);
/// What it takes of Context::shared_scratch; columns: of a key and a value together, or of a key that holds
/// its value.
size_t attention_backward_bytes(int64_t rows, int64_t heads, int64_t key_value_heads, int64_t columns);

}  // namespace r1
