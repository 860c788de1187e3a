// Products in block floating point against exact sums, and their bits over instruction sets and pieces.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/training.h"
#include "tensor/codec.h"

namespace r1::kernels {
namespace {

struct Case {
  int64_t rows, columns, depth;
};

/// 64-byte aligned memory.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes + 64) {}
  std::byte* get() {
    return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(bytes_.data()) + 63) / 64 * 64);
  }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<const KernelTable*> supported_tables() {
  std::vector<const KernelTable*> tables;
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) tables.push_back(&select_kernels(set));
  }
  return tables;
}

/// Nearly normal, of variance 1.
float bell(uint64_t seed, uint64_t index) {
  double sum = -6;
  for (uint64_t i = 0; i < 12; i++) sum += random_uniform(seed, 12 * index + i);
  return static_cast<float>(sum);
}

/// Rounds A and multiplies, in four pieces.
void multiply(const KernelTable& table, const Product& p, const Case& size) {
  const auto pairs = static_cast<size_t>(rounded_pairs(size.rows, size.depth));
  const auto scales = static_cast<size_t>(rounded_scales(size.rows, size.depth));
  Memory memory(pairs * 4 + scales * 4), scratch(integer_product_scratch_bytes());
  const RoundedRows rounded{reinterpret_cast<int32_t*>(memory.get()),
                            reinterpret_cast<float*>(memory.get() + pairs * 4)};
  const int64_t middle = size.rows / 2 / kRoundedStrip * kRoundedStrip;
  const int64_t middle_column =
      p.weights != nullptr ? std::min(kStoredColumns, size.columns) : size.columns / 3;
  for (auto [begin, end] : {std::pair{int64_t{0}, middle}, std::pair{middle, size.rows}}) {
    table.training->round_rows(p.a, p.a_row, begin, end, size.depth, rounded);
    for (auto [first, last] : {std::pair{int64_t{0}, middle_column}, std::pair{middle_column, size.columns}})
      table.training->integer_product(p, rounded, begin, end, first, last, scratch.get());
  }
}

/// Integers up to `most`, with ± most itself at least once in each block of k: rounding leaves them as they
/// are.
std::vector<float> integers(const Case& size, bool left, uint64_t seed) {
  const int64_t lines = left ? size.rows : size.columns;
  const float most = left ? 8191 : 4095;
  std::vector<float> values(static_cast<size_t>(lines * size.depth));
  for (int64_t line = 0; line < lines; line++) {
    for (int64_t k = 0; k < size.depth; k++) {
      const double draw = random_uniform(seed, static_cast<uint64_t>(line * size.depth + k));
      // Line 0 has the largest value everywhere: the largest sum there can be.
      const bool full = line == 0 || k % kRoundedBlock == 0;
      values[left ? line * size.depth + k : k * lines + line] =
          full ? most : static_cast<float>(std::floor((2 * draw - 1) * most));
    }
  }
  return values;
}

class IntegerProductTest : public testing::TestWithParam<Case> {};

TEST_P(IntegerProductTest, IntegersAreMultipliedExactly) {
  const Case size = GetParam();
  const std::vector<float> a = integers(size, true, 1), b = integers(size, false, 2);
  const std::vector<float> start(static_cast<size_t>(size.rows * size.columns), 3.0F);
  std::vector<float> transposed(b.size());
  for (int64_t k = 0; k < size.depth; k++)
    for (int64_t j = 0; j < size.columns; j++) transposed[j * size.depth + k] = b[k * size.columns + j];
  for (const bool accumulate : {false, true}) {
    std::vector<float> first;
    for (const KernelTable* table : supported_tables()) {
      for (const bool turn : {false, true}) {
        std::vector<float> c = start;
        Product p{a.data(), size.depth,   1,          b.data(),  size.columns, 1,
                  c.data(), size.columns, size.depth, accumulate};
        if (turn) {
          p.b = transposed.data();
          p.b_depth = 1;
          p.b_column = size.depth;
        }
        multiply(*table, p, size);
        if (first.empty()) first = c;
        ASSERT_EQ(std::memcmp(c.data(), first.data(), c.size() * sizeof(float)), 0) << table->name << turn;
      }
    }
    for (int64_t i = 0; i < size.rows; i++) {
      for (int64_t j = 0; j < size.columns; j++) {
        double sum = accumulate ? 3 : 0, magnitude = 0;
        for (int64_t k = 0; k < size.depth; k++) {
          const double term = static_cast<double>(a[i * size.depth + k]) * b[k * size.columns + j];
          sum += term;
          magnitude += std::abs(term);
        }
        ASSERT_NEAR(first[i * size.columns + j], sum, 1e-6 * magnitude) << i << ' ' << j;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, IntegerProductTest,
                         testing::Values(Case{1, 1, 1}, Case{12, 32, 64}, Case{5, 7, 3}, Case{65, 48, 300},
                                         Case{17, 600, 40}, Case{250, 33, 70}, Case{31, 47, 513}));

TEST(IntegerProduct, StoredWeightsAreRoundedFinerThanInBfloat16) {
  constexpr Case kSize{70, 600, 768};
  std::vector<float> x(kSize.rows * kSize.depth), w(kSize.columns * kSize.depth);
  for (size_t i = 0; i < x.size(); i++) x[i] = bell(1, i);
  for (size_t i = 0; i < w.size(); i++) w[i] = bell(2, i);
  for (const DType dtype : {DType::bf16, DType::q8_0, DType::q4_0}) {
    const size_t row_bytes = r1::row_bytes(dtype, kSize.depth);
    std::vector<std::byte> bytes(kSize.columns * row_bytes);
    std::vector<float> decoded(w.size());
    for (int64_t row = 0; row < kSize.columns; row++) {
      quantise_row(dtype, {w.data() + row * kSize.depth, kSize.depth}, bytes.data() + row * row_bytes);
      dequantise_row(dtype, bytes.data() + row * row_bytes,
                     {decoded.data() + row * kSize.depth, kSize.depth});
    }
    const WeightMatrix weight{bytes.data(), dtype, kSize.columns, kSize.depth, row_bytes, nullptr};
    std::vector<float> first;
    for (const KernelTable* table : supported_tables()) {
      std::vector<float> c(kSize.rows * kSize.columns);
      Product p;
      p.a = x.data();
      p.a_row = kSize.depth;
      p.c = c.data();
      p.c_row = kSize.columns;
      p.depth = kSize.depth;
      p.weights = &weight;
      p.transposed = true;
      multiply(*table, p, kSize);
      if (first.empty()) first = c;
      ASSERT_EQ(std::memcmp(c.data(), first.data(), c.size() * sizeof(float)), 0) << table->name;
    }
    double error = 0, size = 0;
    for (int64_t i = 0; i < kSize.rows; i++) {
      for (int64_t j = 0; j < kSize.columns; j++) {
        double sum = 0;
        for (int64_t k = 0; k < kSize.depth; k++)
          sum += static_cast<double>(x[i * kSize.depth + k]) * decoded[j * kSize.depth + k];
        error += (first[i * kSize.columns + j] - sum) * (first[i * kSize.columns + j] - sum);
        size += sum * sum;
      }
    }
    // bfloat16 rounds each factor by 2^-9 at most, 1.1e-3 in the mean of squares.
    EXPECT_LT(std::sqrt(error / size), 3e-4) << name(dtype);
    EXPECT_GT(error, 0) << name(dtype);
  }
}

TEST(IntegerProduct, WhatIsNotFiniteReachesItsRowAndZerosStayZero) {
  constexpr Case kSize{14, 20, 100};
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {infinity, -infinity, nan}) {
    for (const KernelTable* table : supported_tables()) {
      std::vector<float> a(kSize.rows * kSize.depth, 1.0F), b(kSize.depth * kSize.columns, 1.0F);
      std::vector<float> c(kSize.rows * kSize.columns, 7.0F);
      a[3 * kSize.depth + 70] = bad;
      for (int64_t k = 0; k < kSize.depth; k++) a[5 * kSize.depth + k] = 0;
      const Product p{a.data(), kSize.depth,   1,           b.data(), kSize.columns, 1,
                      c.data(), kSize.columns, kSize.depth, false};
      multiply(*table, p, kSize);
      for (int64_t i = 0; i < kSize.rows; i++) {
        for (int64_t j = 0; j < kSize.columns; j++) {
          const float value = c[i * kSize.columns + j];
          if (i == 3) {
            EXPECT_TRUE(std::isnan(value)) << table->name << ' ' << bad;
          } else {
            EXPECT_NEAR(value, i == 5 ? 0 : 100, i == 5 ? 0 : 1e-4) << table->name;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace r1::kernels
