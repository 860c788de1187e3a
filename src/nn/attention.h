// Causal attention over a paged cache, for all slices of a packed batch at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

/// Writes rows of keys and values to the cache.
void store_rows(Context& context, std::span<const StoreCall> calls);

/// The keys and values of the sequences' own positions are in the cache already.
void paged_attention(Context& context, const AttentionCall& call);

class Tape;
/// With a tape: records the backward of an attention call over a training batch (AttentionBackwardCall). keys
/// and values: the float32 rows [rows, …] that were stored; nothing of it may change until then.
void record_attention(Context& context, const AttentionCall& call, const float* keys, const float* values);

/// What backward takes of the CPU backend's memory; columns: of a key and a value together, or of a key that
/// holds its value.
size_t attention_backward_bytes(int64_t rows, int64_t heads, int64_t key_value_heads, int64_t columns);

}  // namespace r1
