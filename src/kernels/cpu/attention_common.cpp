#include "kernels/cpu/attention_common.h"

#include <algorithm>

#include "base/error.h"

namespace r1::kernels {

AttentionScratch plan_attention_scratch(const AttentionShape& shape) {
  constexpr int64_t kStripMost = 16;  // no instruction set has longer strips
  const int64_t group = shape.key_value_heads > 0 ? shape.heads / shape.key_value_heads : shape.heads;
  const int64_t rows = std::max(kPassRows, group) + kStripMost;
  const int64_t key_columns = (shape.key_columns + 15) / 16 * 16;
  const int64_t value_columns = (shape.value_columns + 15) / 16 * 16;
  AttentionScratch plan{};
  int64_t end = 0;
  auto take = [&](int64_t floats) {
    const int64_t begin = end;
    end += (floats + 15) / 16 * 16;
    return begin;
  };
  plan.queries = take(rows * key_columns);
  plan.query_scales = take(rows * key_columns / 32);
  plan.sums = take(rows * value_columns);
  plan.maximum = take(rows * 16);
  plan.total = take(rows * 16);
  plan.more_sums = take(rows * value_columns);
  plan.more_maximum = take(rows * 16);
  plan.more_total = take(rows * 16);
  plan.key_tile = take(key_columns * kTileTokens);
  plan.half_tile = take(key_columns * kTileTokens / 2);
  plan.value_tile = take(value_columns * kTileTokens);
  plan.key_scales = take(key_columns);
  plan.value_scales = take(value_columns);
  plan.weights = take(kStripMost * value_columns / 2);
  plan.steps = take(kStripMost * value_columns / 32);
  plan.floats = end;
  return plan;
}

size_t attention_scratch_bytes(const AttentionShape& shape, int64_t /*rows*/) {
  return static_cast<size_t>(plan_attention_scratch(shape).floats) * sizeof(float);
}

int64_t attention_partial_floats(const AttentionShape& shape) {
  return 2 + (shape.value_columns + 15) / 16 * 16;
}

void refuse_other_types(const AttentionShape& shape) {
  for (const DType dtype : {shape.key_dtype, shape.value_dtype}) {
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::q8_0 && dtype != DType::q4_0)
      refuse_cache_type(dtype);
  }
}

void refuse_cache_type(DType dtype) {
  throw_error(ErrorKind::unsupported, "KV cache: type {}, expected F32, F16, Q8_0 or Q4_0", name(dtype));
}

}  // namespace r1::kernels
