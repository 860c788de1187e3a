#include "nn/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace r1 {
namespace {

// Sequences of a packed batch over one cache: `lengths` tokens each, the last `rows` of which are queries.
struct Batch {
  Batch(DType dtype, std::vector<int64_t> lengths, std::vector<int64_t> rows) {
    constexpr int64_t kColumns = 64, kBlock = 32;
    const size_t row_size = row_bytes(dtype, kColumns);
    shape = {.heads = 12, .key_value_heads = 2, .key_columns = kColumns, .value_columns = kColumns};
    shape.query_stride = shape.output_stride = shape.heads * kColumns;
    shape.scale = 0.125F;
    shape.block_tokens = kBlock;
    shape.key_dtype = shape.value_dtype = dtype;
    shape.key_token_bytes = shape.value_token_bytes = row_size;
    shape.key_head_bytes = shape.value_head_bytes = kBlock * row_size;
    shape.key_block_bytes = shape.value_block_bytes = 4 * kBlock * row_size;
    int32_t used = 0;
    for (const int64_t length : lengths) {
      blocks.emplace_back();
      for (int64_t t = 0; t < length; t += kBlock) blocks.back().push_back(used++);
    }
    cache.resize(static_cast<size_t>(used) * shape.key_block_bytes);
    std::vector<float> values(kColumns);
    for (size_t at = 0; at < cache.size(); at += row_size) {
      for (float& value : values) value = next();
      kernels::select_kernels().store_row(dtype, values.data(), kColumns, cache.data() + at);
    }
    shape.keys = cache.data();
    shape.values = cache.data() + 2 * kBlock * row_size;
    int64_t all_rows = 0;
    for (const int64_t count : rows) all_rows += count;
    queries.resize(static_cast<size_t>(all_rows * shape.query_stride));
    for (float& query : queries) query = 3 * next();
    int64_t first = 0;
    for (size_t s = 0; s < lengths.size(); ++s) {
      slices.push_back({.queries = queries.data() + first * shape.query_stride,
                        .rows = rows[s],
                        .first_position = lengths[s] - rows[s],
                        .blocks = blocks[s].data()});
      first += rows[s];
    }
  }

  std::vector<float> run(int threads, std::span<const kernels::AttentionSlice> chosen) const {
    ThreadPool pool(threads);
    Context context(pool, kernels::select_kernels(), Arithmetic::fast);
    std::vector<float> output(queries.size(), NAN);
    std::vector<kernels::AttentionSlice> own(chosen.begin(), chosen.end());
    for (kernels::AttentionSlice& slice : own)
      slice.output = output.data() + (slice.queries - queries.data());
    paged_attention(context, shape, own);
    return output;
  }

  float next() { return static_cast<float>(2 * random_uniform(7, counter++) - 1); }

  uint64_t counter = 0;
  kernels::AttentionShape shape;
  std::vector<std::byte> cache;
  std::vector<std::vector<int32_t>> blocks;
  std::vector<float> queries;
  std::vector<kernels::AttentionSlice> slices;
};

// One thread goes through all keys; more threads split them by segments where heads and rows are too few.
TEST(PagedAttention, HasTheSameBitsOnAnyNumberOfThreadsAndInAnyBatch) {
  for (const DType dtype : {DType::f16, DType::q8_0}) {
    const Batch batch(dtype, {3000, 40, 1100, 513}, {1, 3, 2, 1});
    const std::vector<float> expected = batch.run(1, batch.slices);
    for (const float value : expected) ASSERT_FALSE(std::isnan(value));
    for (const int threads : {2, 3, 16}) {
      EXPECT_EQ(batch.run(threads, batch.slices), expected) << threads << " threads";
      for (const kernels::AttentionSlice& slice : batch.slices) {
        const std::vector<float> alone = batch.run(threads, {&slice, 1});
        const int64_t begin = slice.queries - batch.queries.data();
        const int64_t end = begin + slice.rows * batch.shape.output_stride;
        EXPECT_TRUE(std::equal(expected.begin() + begin, expected.begin() + end, alone.begin() + begin))
            << threads << " threads, " << slice.first_position;
      }
    }
  }
}

}  // namespace
}  // namespace r1
