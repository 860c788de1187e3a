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
  plan.sums = take(rows * value_columns);
  plan.maximum = take(rows * 16);
  plan.total = take(rows * 16);
  plan.key_tile = take(key_columns * kTileTokens);
  plan.half_tile = take(key_columns * kTileTokens / 2);
  plan.value_tile = take(value_columns * kTileTokens);
  plan.scales = take(std::max(key_columns, value_columns) + kTileTokens);
  plan.floats = end;
  return plan;
}

size_t attention_scratch_bytes(const AttentionShape& shape, int64_t /*rows*/) {
  return static_cast<size_t>(plan_attention_scratch(shape).floats) * sizeof(float);
}

void refuse_cache_type(DType dtype) {
  throw_error(ErrorKind::unsupported, "KV cache: type {}, expected F32, F16, Q8_0 or Q4_0", name(dtype));
}

}  // namespace r1::kernels
