#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "tensor/codec.h"

namespace r1::kernels {
namespace {

struct Case {
  int64_t heads, key_value_heads, key_columns, value_columns;
  DType key_dtype, value_dtype;
  int64_t context;           // tokens before the first row
  int64_t rows;              // query rows, at positions context …
  bool shared_rows = false;  // MLA: values are the first columns of the key rows
  int64_t block_tokens = 32;
  float magnitude = 1;
};

std::vector<InstructionSet> supported_sets() {
  std::vector<InstructionSet> sets;
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets.push_back(set);
  }
  return sets;
}

/// A cache of scattered blocks whose unused memory is all ones (NaN in every type), and queries.
class Problem {
 public:
  Problem(const Case& problem, uint64_t seed) : c_(problem), seed_(seed) {
    const int64_t tokens = c_.context + c_.rows;
    const int64_t blocks = (tokens + c_.block_tokens - 1) / c_.block_tokens;
    const size_t key_row = row_bytes(c_.key_dtype, c_.key_columns);
    const size_t value_row = row_bytes(c_.value_dtype, c_.value_columns);
    const auto block_tokens = static_cast<size_t>(c_.block_tokens);
    const auto shared = static_cast<size_t>(c_.key_value_heads);
    keys_.resize(static_cast<size_t>(blocks + 3) * shared * block_tokens * key_row, std::byte{0xff});
    values_.resize(static_cast<size_t>(blocks + 3) * shared * block_tokens * value_row, std::byte{0xff});
    for (int64_t b = 0; b < blocks; b++) blocks_.push_back(static_cast<int32_t>(b + 3));
    for (size_t b = blocks_.size(); b > 1; b--) std::swap(blocks_[b - 1], blocks_[draw() % b]);

    shape_ = {.heads = c_.heads,
              .key_value_heads = c_.key_value_heads,
              .key_columns = c_.key_columns,
              .value_columns = c_.value_columns,
              .query_stride = c_.heads * c_.key_columns + 5,
              .output_stride = c_.heads * c_.value_columns + 3,
              .scale = 1.0F / std::sqrt(static_cast<float>(c_.key_columns)),
              .block_tokens = c_.block_tokens,
              .key_dtype = c_.key_dtype,
              .value_dtype = c_.value_dtype,
              .keys = keys_.data(),
              .key_block_bytes = shared * block_tokens * key_row,
              .key_token_bytes = key_row,
              .key_head_bytes = block_tokens * key_row,
              .values = values_.data(),
              .value_block_bytes = shared * block_tokens * value_row,
              .value_token_bytes = value_row,
              .value_head_bytes = block_tokens * value_row};
    if (c_.shared_rows) {
      shape_.values = keys_.data();
      shape_.value_block_bytes = shape_.key_block_bytes;
      shape_.value_token_bytes = shape_.key_token_bytes;
      shape_.value_head_bytes = shape_.key_head_bytes;
    }
    const KernelTable& table = select_kernels(InstructionSet::scalar);
    std::vector<float> row(static_cast<size_t>(std::max(c_.key_columns, c_.value_columns)));
    for (int64_t p = 0; p < tokens; p++) {
      for (int64_t h = 0; h < c_.key_value_heads; h++) {
        fill(row);
        table.store_row(c_.key_dtype, row.data(), c_.key_columns, key_at(p, h));
        if (c_.shared_rows) continue;
        fill(row);
        table.store_row(c_.value_dtype, row.data(), c_.value_columns, value_at(p, h));
      }
    }
    queries_.resize(static_cast<size_t>(c_.rows * shape_.query_stride));
    fill(queries_);
  }

  std::byte* key_at(int64_t position, int64_t head) {
    return keys_.data() +
           offset(position, head, shape_.key_block_bytes, shape_.key_token_bytes, shape_.key_head_bytes);
  }
  std::byte* value_at(int64_t position, int64_t head) {
    std::byte* base = c_.shared_rows ? keys_.data() : values_.data();
    return base + offset(position, head, shape_.value_block_bytes, shape_.value_token_bytes,
                         shape_.value_head_bytes);
  }

  /// The whole call in parts: `row_step` rows and `head_step` heads at a time.
  std::vector<float> run(InstructionSet set, int64_t row_step, int64_t head_step) const {
    std::vector<float> output = empty_output();
    run_rows(set, 0, c_.rows, row_step, head_step, output.data());
    return output;
  }

  /// Slices of `slice_rows` rows each, as chunked prefill and decode (1) make them.
  std::vector<float> run_slices(InstructionSet set, int64_t slice_rows) const {
    std::vector<float> output = empty_output();
    for (int64_t r = 0; r < c_.rows; r += slice_rows) {
      run_rows(set, r, std::min(slice_rows, c_.rows - r), slice_rows, c_.heads,
               output.data() + r * shape_.output_stride);
    }
    return output;
  }

  /// Each segment of keys by itself, the last first, and then together: as many threads do.
  std::vector<float> run_segments(InstructionSet set, int64_t row_step, int64_t head_step) const {
    std::vector<float> output = empty_output();
    const KernelTable& table = select_kernels(set);
    const auto scratch = Scratch(shape_);
    const int64_t segments = (c_.context + c_.rows + kSegmentTokens - 1) / kSegmentTokens;
    std::vector<float> partial(
        static_cast<size_t>(c_.rows * c_.heads * segments * attention_partial_floats(shape_)), NAN);
    const AttentionSlice slice = slice_of(0, c_.rows, output.data());
    for (int64_t segment = segments - 1; segment >= 0; segment--) {
      for (int64_t r = 0; r < c_.rows; r += row_step) {
        for (int64_t h = 0; h < c_.heads; h += head_step) {
          table.attention_segment(shape_, slice, r, std::min(c_.rows, r + row_step), h,
                                  std::min(c_.heads, h + head_step), segment, segments, partial.data(),
                                  scratch.data);
        }
      }
    }
    for (int64_t r = 0; r < c_.rows; r++) {
      for (int64_t h = 0; h < c_.heads; h++)
        table.merge_attention(shape_, slice, r, h, segments, partial.data());
    }
    return output;
  }

  /// Plain attention in double over the decoded cache.
  std::vector<float> reference() {
    std::vector<float> output = empty_output();
    const int64_t tokens = c_.context + c_.rows;
    std::vector<float> keys(static_cast<size_t>(tokens * c_.key_columns));
    std::vector<float> values(static_cast<size_t>(tokens * c_.value_columns));
    for (int64_t h = 0; h < c_.heads; h++) {
      const int64_t shared = h / (c_.heads / c_.key_value_heads);
      const DType value_dtype = c_.shared_rows ? c_.key_dtype : c_.value_dtype;
      for (int64_t p = 0; p < tokens; p++) {
        dequantise_row(c_.key_dtype, key_at(p, shared),
                       {keys.data() + p * c_.key_columns, static_cast<size_t>(c_.key_columns)});
        dequantise_row(value_dtype, value_at(p, shared),
                       {values.data() + p * c_.value_columns, static_cast<size_t>(c_.value_columns)});
      }
      for (int64_t r = 0; r < c_.rows; r++) {
        const float* query = queries_.data() + r * shape_.query_stride + h * c_.key_columns;
        const int64_t visible = c_.context + r + 1;
        std::vector<double> weights(static_cast<size_t>(visible));
        double highest = -INFINITY;
        for (int64_t p = 0; p < visible; p++) {
          double score = 0;
          for (int64_t i = 0; i < c_.key_columns; i++) {
            score += static_cast<double>(query[i]) * static_cast<double>(keys[p * c_.key_columns + i]);
          }
          weights[p] = score * static_cast<double>(shape_.scale);
          highest = std::max(highest, weights[p]);
        }
        double total = 0;
        for (double& weight : weights) total += weight = std::exp(weight - highest);
        for (int64_t i = 0; i < c_.value_columns; i++) {
          double sum = 0;
          for (int64_t p = 0; p < visible; p++) {
            sum += weights[p] * static_cast<double>(values[p * c_.value_columns + i]);
          }
          output[r * shape_.output_stride + h * c_.value_columns + i] = static_cast<float>(sum / total);
        }
      }
    }
    return output;
  }

 private:
  uint64_t draw() { return random_bits(seed_, counter_++); }
  void fill(std::vector<float>& values) {
    for (float& value : values) {
      value = c_.magnitude * static_cast<float>(2 * random_uniform(seed_, counter_++) - 1);
    }
  }
  size_t offset(int64_t position, int64_t head, size_t block_bytes, size_t token_bytes,
                size_t head_bytes) const {
    return static_cast<size_t>(blocks_[position / c_.block_tokens]) * block_bytes +
           static_cast<size_t>(position % c_.block_tokens) * token_bytes +
           static_cast<size_t>(head) * head_bytes;
  }
  std::vector<float> empty_output() const {
    return std::vector<float>(static_cast<size_t>(c_.rows * shape_.output_stride), -7.0F);
  }
  /// Exactly as large as promised, and poisoned.
  struct Scratch {
    explicit Scratch(const AttentionShape& shape)
        : memory(attention_scratch_bytes(shape, 1) + 64, std::byte{0xff}),
          data(memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64) {}
    std::vector<std::byte> memory;
    std::byte* data;
  };
  AttentionSlice slice_of(int64_t first_row, int64_t rows, float* output) const {
    return {.queries = queries_.data() + first_row * shape_.query_stride,
            .output = output,
            .rows = rows,
            .first_position = c_.context + first_row,
            .blocks = blocks_.data()};
  }
  void run_rows(InstructionSet set, int64_t first_row, int64_t rows, int64_t row_step, int64_t head_step,
                float* output) const {
    const KernelTable& table = select_kernels(set);
    const auto scratch = Scratch(shape_);
    const AttentionSlice slice = slice_of(first_row, rows, output);
    for (int64_t r = 0; r < rows; r += row_step) {
      for (int64_t h = 0; h < c_.heads; h += head_step) {
        table.attention(shape_, slice, r, std::min(rows, r + row_step), h, std::min(c_.heads, h + head_step),
                        scratch.data);
      }
    }
  }

  Case c_;
  uint64_t seed_, counter_ = 0;
  std::vector<std::byte> keys_, values_;
  std::vector<int32_t> blocks_;
  std::vector<float> queries_;
  AttentionShape shape_;
};

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << what;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  float worst = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
    ASSERT_FALSE(std::isnan(a[i])) << i;
  }
  EXPECT_LE(worst, tolerance);
}

void check(const Case& c, uint64_t seed) {
  SCOPED_TRACE(testing::Message() << c.heads << "/" << c.key_value_heads << " heads, " << c.key_columns << "/"
                                  << c.value_columns << " columns, " << name(c.key_dtype) << "/"
                                  << name(c.value_dtype) << ", context " << c.context << ", rows " << c.rows
                                  << ", block " << c.block_tokens << ", seed " << seed);
  Problem problem(c, seed);
  const InstructionSet best = supported_sets().back();
  const std::vector<float> whole = problem.run(best, c.rows, c.heads);
  // Quantised caches round queries and weights to 16 bits: steps of 2^-15 of the largest, some in a row.
  const bool integers = info(c.key_dtype).block_elements > 1 || info(c.value_dtype).block_elements > 1;
  const float tolerance = integers ? 3e-5F : 2e-6F;
  expect_near(whole, problem.reference(), tolerance * c.magnitude * std::max(1.0F, c.magnitude));
  for (InstructionSet set : supported_sets()) {
    expect_same_bits(problem.run(set, c.rows, c.heads), whole, "another instruction set");
  }
  expect_same_bits(problem.run_slices(best, 1), whole, "one row at a time (decode)");
  expect_same_bits(problem.run_slices(best, 7), whole, "prefill in chunks of 7");
  expect_same_bits(problem.run(best, 5, 1), whole, "head by head, 5 rows");
  expect_same_bits(problem.run(best, c.rows, 3), whole, "heads split inside a group");
  for (InstructionSet set : supported_sets()) {
    expect_same_bits(problem.run_segments(set, 5, std::max<int64_t>(1, c.heads / 2)), whole,
                     "segments of keys apart");
  }
}

TEST(Attention, GroupedHeads) {
  check({12, 2, 128, 128, DType::f16, DType::f16, 0, 70}, 1);
  check({12, 2, 128, 128, DType::f16, DType::f16, 300, 9}, 2);
  check({28, 4, 128, 128, DType::f16, DType::q8_0, 45, 20}, 3);
}

TEST(Attention, EveryPairOfCacheTypes) {
  for (DType key : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    for (DType value : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
      check({8, 2, 64, 96, key, value, 50, 17},
            10 + static_cast<uint64_t>(key) * 4 + static_cast<uint64_t>(value));
    }
  }
}

TEST(Attention, LatentRowsServeAsKeysAndValues) {
  Case mla = {128, 1, 576, 512, DType::f16, DType::f16, 40, 3};
  mla.shared_rows = true;
  check(mla, 30);
  mla = {200, 1, 64, 32, DType::q8_0, DType::q8_0, 33, 2};  // more heads than query rows in a pass
  mla.shared_rows = true;
  check(mla, 31);
}

TEST(Attention, SmallHeadsWithOddColumns) {
  check({8, 4, 8, 8, DType::f16, DType::f16, 0, 40}, 40);
  check({3, 3, 5, 23, DType::f32, DType::f16, 31, 2}, 41);
  check({3, 1, 33, 17, DType::f16, DType::f32, 64, 33}, 42);
}

TEST(Attention, OtherBlockSizesOfTheCache) {
  Case c = {6, 1, 64, 64, DType::f16, DType::q8_0, 100, 30};
  for (int64_t block : {1, 8, 64, 256}) {
    c.block_tokens = block;
    check(c, 50);
  }
}

// The last row of one segment and the first of the next, rows over a boundary, several segments.
TEST(Attention, SegmentsOfKeysAreSummedByThemselves) {
  for (DType type : {DType::f16, DType::q8_0, DType::q4_0}) {
    check({6, 1, 64, 64, type, type, kSegmentTokens - 1, 2}, 80);
    check({6, 1, 64, 32, type, type, kSegmentTokens - 9, 20}, 81);
    check({4, 2, 32, 64, type, type, 3 * kSegmentTokens + 17, 3}, 82);
  }
}

TEST(Attention, QuantisedCachesAreNearTheirExactSums) {
  for (DType type : {DType::q8_0, DType::q4_0}) {
    const Case c = {12, 2, 128, 128, type, type, 200, 5};
    Problem problem(c, 83);
    const std::vector<float> exact = problem.reference();
    const std::vector<float> found = problem.run(supported_sets().back(), c.rows, c.heads);
    double error = 0, size = 0;
    for (size_t i = 0; i < exact.size(); i++) {
      error += std::pow(static_cast<double>(found[i]) - exact[i], 2);
      size += std::pow(static_cast<double>(exact[i]), 2);
    }
    EXPECT_LT(std::sqrt(error / size), 5e-5);  // storing in 8 bits costs some 5e-3
  }
}

TEST(Attention, ABrokenScaleOfAQuantisedCacheIsNotHidden) {
  const Case c = {6, 2, 32, 32, DType::q8_0, DType::q8_0, 10, 12};
  Problem sound(c, 84);
  Problem broken(c, 84);
  std::memset(broken.key_at(17, 0), 0xff, 2);  // NaN; the row at index 7
  std::memset(broken.value_at(17, 1), 0xff, 2);
  const auto stride = static_cast<size_t>(c.heads * c.value_columns + 3);
  for (InstructionSet set : supported_sets()) {
    const std::vector<float> expected = sound.run(set, c.rows, c.heads);
    const std::vector<float> seen = broken.run(set, c.rows, c.heads);
    EXPECT_EQ(std::memcmp(seen.data(), expected.data(), 7 * stride * sizeof(float)), 0);
    EXPECT_TRUE(std::isnan(seen[7 * stride]));
    EXPECT_TRUE(std::isnan(seen[7 * stride + static_cast<size_t>(3 * c.value_columns)]));
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  Case c = {4, 1, 64, 64, DType::f32, DType::f32, 100, 10};
  c.magnitude = 30;  // scores up to some thousands: weights far below the smallest float
  check(c, 60);
}

TEST(Attention, RandomShapes) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::q8_0, DType::q4_0};
  for (uint64_t seed = 100; seed < 115; seed++) {
    uint64_t counter = 0;
    auto below = [&](uint64_t bound) {
      return static_cast<int64_t>(random_bits(seed, 1000 + counter++) % bound);
    };
    const int64_t shared = 1 + below(3);
    Case c{};
    c.key_value_heads = shared;
    c.heads = shared * (1 + below(9));
    c.key_dtype = kTypes[below(4)];
    c.value_dtype = kTypes[below(4)];
    c.key_columns =
        c.key_dtype == DType::f32 || c.key_dtype == DType::f16 ? 1 + below(80) : 32 * (1 + below(3));
    c.value_columns =
        c.value_dtype == DType::f32 || c.value_dtype == DType::f16 ? 1 + below(80) : 32 * (1 + below(3));
    c.context = below(100);
    c.rows = 1 + below(40);
    check(c, seed);
    if (HasFailure()) break;
  }
}

TEST(Attention, ABrokenLaterTokenDoesNotReachEarlierRows) {
  Case c = {6, 2, 32, 32, DType::f16, DType::f16, 10, 12};
  Problem sound(c, 70);
  Problem broken(c, 70);
  std::memset(broken.key_at(17, 0), 0xff, 64);  // the row at index 7, as if its values had overflowed
  std::memset(broken.value_at(17, 1), 0xff, 64);
  for (InstructionSet set : supported_sets()) {
    const std::vector<float> expected = sound.run(set, c.rows, c.heads);
    const std::vector<float> seen = broken.run(set, c.rows, c.heads);
    const auto stride = static_cast<size_t>(c.heads * c.value_columns + 3);
    EXPECT_EQ(std::memcmp(seen.data(), expected.data(), 7 * stride * sizeof(float)), 0);
    EXPECT_TRUE(std::isnan(seen[7 * stride]));  // and is not hidden in its own
  }
}

TEST(Attention, RefusesOtherCacheTypes) {
  for (InstructionSet set : supported_sets()) {
    const KernelTable& table = select_kernels(set);
    std::vector<float> x(32);
    std::vector<std::byte> out(128);
    EXPECT_THROW(table.store_row(DType::bf16, x.data(), 32, out.data()), Error);
  }
}

}  // namespace
}  // namespace r1::kernels
