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
    call.heads = 12;
    call.key_value_heads = 2;
    call.key_columns = call.value_columns = kColumns;
    call.scale = 0.125F;
    call.block_tokens = kBlock;
    call.keys = {nullptr, 4 * kBlock * row_size, row_size, kBlock * row_size, dtype};
    int32_t used = 0;
    for (const int64_t length : lengths) {
      blocks.emplace_back();
      for (int64_t t = 0; t < length; t += kBlock) blocks.back().push_back(used++);
    }
    cache.resize(static_cast<size_t>(used) * call.keys.block_stride);
    std::vector<float> values(kColumns);
    for (size_t at = 0; at < cache.size(); at += row_size) {
      for (float& value : values) value = next();
      kernels::select_kernels().store_row(dtype, values.data(), kColumns, cache.data() + at);
    }
    call.keys.data = cache.data();
    call.values = call.keys;
    call.values.data = cache.data() + 2 * kBlock * row_size;
    int64_t all_rows = 0;
    for (const int64_t count : rows) all_rows += count;
    queries.resize(static_cast<size_t>(all_rows * stride()));
    for (float& query : queries) query = 3 * next();
    for (size_t s = 0; s < lengths.size(); ++s) {
      sequences.push_back({rows[s], lengths[s] - rows[s], blocks[s].data()});
    }
  }

  int64_t stride() const { return call.heads * call.key_columns; }

  /// Some neighbouring sequences, the first of which begins at row `first_row`.
  std::vector<float> run(int threads, std::span<const SequenceRows> chosen, int64_t first_row) const {
    ThreadPool pool(threads);
    Context context(pool, kernels::select_kernels(), Arithmetic::fast);
    int64_t rows = 0;
    for (const SequenceRows& sequence : chosen) rows += sequence.rows;
    std::vector<float> output(static_cast<size_t>(rows * stride()), NAN);
    AttentionCall some = call;
    some.queries = queries.data() + first_row * stride();
    some.output = output.data();
    some.sequences = chosen;
    paged_attention(context, some);
    return output;
  }

  float next() { return static_cast<float>(2 * random_uniform(7, counter++) - 1); }

  uint64_t counter = 0;
  AttentionCall call;
  std::vector<std::byte> cache;
  std::vector<std::vector<int32_t>> blocks;
  std::vector<float> queries;
  std::vector<SequenceRows> sequences;
};

// One thread goes through all keys; more threads split them by segments where heads and rows are too few.
TEST(PagedAttention, HasTheSameBitsOnAnyNumberOfThreadsAndInAnyBatch) {
  for (const DType dtype : {DType::f16, DType::q8_0}) {
    const Batch batch(dtype, {3000, 40, 1100, 513}, {1, 3, 2, 1});
    const std::vector<float> expected = batch.run(1, batch.sequences, 0);
    for (const float value : expected) ASSERT_FALSE(std::isnan(value));
    for (const int threads : {2, 3, 16}) {
      EXPECT_EQ(batch.run(threads, batch.sequences, 0), expected) << threads << " threads";
      int64_t row = 0;
      for (const SequenceRows& sequence : batch.sequences) {
        const std::vector<float> alone = batch.run(threads, {&sequence, 1}, row);
        EXPECT_TRUE(std::equal(alone.begin(), alone.end(), expected.begin() + row * batch.stride()))
            << threads << " threads, " << sequence.first_position;
        row += sequence.rows;
      }
    }
  }
}

}  // namespace
}  // namespace r1
