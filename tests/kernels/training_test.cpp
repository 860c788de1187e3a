// The training kernels against plain sums in double, and their bits over instruction sets.
#include "kernels/training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "tensor/codec.h"
#include "tensor/nf4.h"

namespace r1::kernels {
namespace {

std::vector<const KernelTable*> supported_tables() {
  std::vector<const KernelTable*> tables;
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) tables.push_back(&select_kernels(set));
  }
  return tables;
}

std::vector<float> random_values(int64_t count, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(2 * random_uniform(seed, i) - 1);
  return values;
}

struct Scratch {
  std::vector<std::byte> bytes = std::vector<std::byte>(product_scratch_bytes() + 64);
  std::byte* get() {
    return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(bytes.data()) + 63) / 64 * 64);
  }
};

struct ProductCase {
  int64_t rows, columns, depth;
};

class ProductTest : public testing::TestWithParam<ProductCase> {};

TEST_P(ProductTest, EveryOrientationAgreesWithPlainSums) {
  const auto [rows, columns, depth] = GetParam();
  const std::vector<float> a = random_values(rows * depth, 1);
  const std::vector<float> b = random_values(depth * columns, 2);
  const std::vector<float> start = random_values(rows * columns, 3);
  std::vector<float> turned_a(a.size()), turned_b(b.size());
  for (int64_t k = 0; k < depth; k++) {
    for (int64_t i = 0; i < rows; i++) turned_a[k * rows + i] = a[i * depth + k];
    for (int64_t j = 0; j < columns; j++) turned_b[j * depth + k] = b[k * columns + j];
  }
  Scratch scratch;
  for (const bool accumulate : {false, true}) {
    std::vector<float> first;
    for (const KernelTable* table : supported_tables()) {
      for (const int orientation : {0, 1, 2, 3}) {
        std::vector<float> c = start;
        Product p;
        p.a = orientation & 1 ? turned_a.data() : a.data();
        p.a_row = orientation & 1 ? 1 : depth;
        p.a_depth = orientation & 1 ? rows : 1;
        p.b = orientation & 2 ? turned_b.data() : b.data();
        p.b_depth = orientation & 2 ? 1 : columns;
        p.b_column = orientation & 2 ? depth : 1;
        p.c = c.data();
        p.c_row = columns;
        p.depth = depth;
        p.accumulate = accumulate;
        // In pieces: any split gives the same bits.
        const int64_t middle_row = orientation == 0 ? rows : rows / 3;
        const int64_t middle_column = orientation == 0 ? columns : columns / 2;
        for (auto [r0, r1] : {std::pair{int64_t{0}, middle_row}, std::pair{middle_row, rows}}) {
          for (auto [c0, c1] : {std::pair{int64_t{0}, middle_column}, std::pair{middle_column, columns}})
            table->training->product(p, r0, r1, c0, c1, scratch.get());
        }
        if (first.empty()) first = c;
        ASSERT_EQ(std::memcmp(c.data(), first.data(), c.size() * sizeof(float)), 0)
            << table->name << " orientation " << orientation;
      }
    }
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < columns; j++) {
        double sum = accumulate ? start[i * columns + j] : 0;
        for (int64_t k = 0; k < depth; k++) sum += static_cast<double>(a[i * depth + k]) * b[k * columns + j];
        ASSERT_NEAR(first[i * columns + j], sum, 1e-6 * std::sqrt(static_cast<double>(depth)) + 1e-6);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ProductTest,
                         testing::Values(ProductCase{1, 1, 1}, ProductCase{12, 32, 32}, ProductCase{5, 7, 3},
                                         ProductCase{65, 48, 300}, ProductCase{17, 600, 40},
                                         ProductCase{250, 33, 70}, ProductCase{31, 47, 513}));

TEST(TrainingKernels, ProductHasTheBitsOfMatmulFloat) {
  constexpr int64_t kRows = 29, kOutputs = 80, kInputs = 300;
  const std::vector<float> x = random_values(kRows * kInputs, 1), w = random_values(kOutputs * kInputs, 2);
  for (const KernelTable* table : supported_tables()) {
    std::vector<float> y(kRows * kOutputs), z(kRows * kOutputs);
    const WeightMatrix weight{reinterpret_cast<const std::byte*>(w.data()),
                              DType::f32,
                              kOutputs,
                              kInputs,
                              kInputs * sizeof(float),
                              nullptr};
    std::vector<std::byte> memory(matmul_scratch_bytes(kInputs, kRows) + 64);
    auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
    table->matmul_float(weight, 0, kOutputs, x.data(), kInputs, kRows, y.data(), kOutputs, aligned);
    Scratch scratch;
    const Product p{x.data(), kInputs, 1, w.data(), 1, kInputs, z.data(), kOutputs, kInputs, false};
    table->training->product(p, 0, kRows, 0, kOutputs, scratch.get());
    EXPECT_EQ(std::memcmp(y.data(), z.data(), y.size() * sizeof(float)), 0) << table->name;
  }
}

/// A matrix in a type, and what the reference codecs decode it to.
struct StoredMatrix {
  StoredMatrix(DType dtype, const std::vector<float>& source, int64_t outputs, int64_t inputs)
      : bytes(static_cast<size_t>(outputs) * r1::row_bytes(dtype, inputs)), decoded(source.size()) {
    const size_t row_bytes = r1::row_bytes(dtype, inputs);
    const auto row = [=](const float* values, int64_t r) { return values + r * inputs; };
    const auto count = static_cast<size_t>(inputs);
    if (dtype == DType::nf4) {
      scales.resize(static_cast<size_t>(nf4_scale_count(outputs, inputs)));
      std::vector<float> largest(source.size() / kNf4Block);
      quantise_nf4(
          outputs, inputs,
          [&](int64_t r, std::span<float> out) { std::copy_n(row(source.data(), r), count, out.data()); },
          largest, bytes.data(), scales.data());
    } else {
      for (int64_t r = 0; r < outputs; r++)
        quantise_row(dtype, {row(source.data(), r), count}, bytes.data() + r * row_bytes);
    }
    weight = {bytes.data(), dtype, outputs, inputs, row_bytes, scales.empty() ? nullptr : scales.data()};
    for (int64_t r = 0; r < outputs; r++) {
      dequantise_matrix_row(dtype, bytes.data() + r * row_bytes, weight.block_scales, r, inputs, 0,
                            {decoded.data() + r * inputs, count});
    }
  }
  StoredMatrix(const StoredMatrix&) = delete;

  std::vector<std::byte> bytes;
  std::vector<float> scales, decoded;
  WeightMatrix weight;
};

TEST(TrainingKernels, ProductsWithStoredWeightsHaveTheBitsOfDecodedOnes) {
  constexpr int64_t kRows = 70, kOutputs = 600, kInputs = 768;
  const std::vector<float> x = random_values(kRows * kOutputs, 1);  // wide enough for both orientations
  const std::vector<float> source = random_values(kOutputs * kInputs, 2);
  const std::vector<float> other_x = random_values(kRows * kInputs, 3);
  for (const DType dtype :
       {DType::bf16, DType::f16, DType::f32, DType::q8_0, DType::q4_0, DType::q6_k, DType::nf4}) {
    const StoredMatrix stored(dtype, source, kOutputs, kInputs);
    Scratch scratch;
    for (const KernelTable* table : supported_tables()) {
      for (const int64_t first : {0, 37}) {
        const int64_t used = kOutputs - first;
        for (const bool transposed : {false, true}) {
          const int64_t columns = transposed ? used : kInputs, depth = transposed ? kInputs : used;
          std::vector<float> expected(kRows * columns), y(kRows * columns);
          Product p;
          p.a = transposed ? other_x.data() : x.data();
          p.a_row = depth;
          p.b = stored.decoded.data() + first * kInputs;
          p.b_depth = transposed ? 1 : kInputs;
          p.b_column = transposed ? kInputs : 1;
          p.c = expected.data();
          p.c_row = columns;
          p.depth = depth;
          table->training->product(p, 0, kRows, 0, columns, scratch.get());
          p.b = nullptr;
          p.weights = &stored.weight;
          p.first_weight_row = first;
          p.transposed = transposed;
          p.c = y.data();
          for (const auto& [begin, end] :
               {std::pair{int64_t{0}, kStoredColumns}, std::pair{kStoredColumns, columns}})
            table->training->product(p, 0, kRows, begin, end, scratch.get());
          EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
              << table->name << ' ' << name(dtype) << " from row " << first
              << (transposed ? ", transposed" : "");
        }
      }
    }
  }
}

TEST(TrainingKernels, RowsAgreeWithDoubleOnEverySet) {
  for (const int64_t n : {1, 15, 16, 33, 64, 100, 257}) {
    const std::vector<float> x = random_values(n, 4), w = random_values(n, 5), d = random_values(n, 6);
    std::vector<std::vector<float>> first;
    for (const KernelTable* table : supported_tables()) {
      const TrainingKernels& t = *table->training;
      std::vector<float> dx(n, 0.5F), dw(n, 0.25F), dg(n), du(n), e = x, s = d, weights = w, m(n, 0.1F),
                                                                  v(n, 0.2F);
      t.rms_norm_backward(x.data(), w.data(), d.data(), n, 1e-5F, dx.data(), dw.data());
      t.swiglu_backward(x.data(), w.data(), d.data(), n, dg.data(), du.data());
      t.exponentials(e.data(), 2, 0.5F, n - 1, n);
      t.softmax_backward(x.data(), s.data(), 0.25F, 3, n);
      const SoftmaxRow row = t.log_sum_exp(x.data(), 2, n, n - 1);
      const std::vector<float> sums{row.log_sum, row.target_logit, t.dot(x.data(), w.data(), n)};
      const AdamStep step{0.01F, 0.9F, 0.95F, 1e-8F, 0.1F, 2.0F, 3.0F, 0.5F};
      t.adam(step, weights.data(), d.data(), m.data(), v.data(), n);
      const std::vector<std::vector<float>> all{dx, dw, dg, du, e, s, sums, weights, m, v};

      if (first.empty()) {
        first = all;
      }
      ASSERT_EQ(all, first) << table->name << " " << n;
    }
    const auto& r = first;
    double squares = 0, product = 0, sum = 0, dot = 0;
    for (int64_t i = 0; i < n; i++) {
      squares += static_cast<double>(x[i]) * x[i];
      product += static_cast<double>(x[i]) * w[i] * d[i];
      dot += static_cast<double>(x[i]) * w[i];
      sum += std::exp(2.0 * x[i]);
    }
    const double inverse = 1 / std::sqrt(squares / n + 1e-5);
    for (int64_t i = 0; i < n; i++) {
      const double dx = 0.5 + inverse * d[i] * w[i] - x[i] * product * std::pow(inverse, 3) / n;
      EXPECT_NEAR(r[0][i], dx, 2e-5 * (1 + std::fabs(dx)));
      EXPECT_NEAR(r[1][i], 0.25 + d[i] * x[i] * inverse, 2e-5);
      const double sigmoid = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      EXPECT_NEAR(r[2][i], d[i] * w[i] * sigmoid * (1 + x[i] * (1 - sigmoid)), 1e-6);
      EXPECT_NEAR(r[3][i], d[i] * x[i] * sigmoid, 1e-6);
      EXPECT_NEAR(r[4][i], i < n - 1 ? std::exp(2.0 * x[i] - 0.5) : 0, 1e-5);
      EXPECT_NEAR(r[5][i], 3 * x[i] * (d[i] - 0.25), 1e-6);
      const double g = 0.5 * d[i], m = 0.09 + 0.1 * g, v = 0.19 + 0.05 * g * g;
      EXPECT_NEAR(r[8][i], m, 1e-6);
      EXPECT_NEAR(r[9][i], v, 1e-6);
      EXPECT_NEAR(r[7][i], w[i] * (1 - 0.001) - 0.01 * 2 * m / (std::sqrt(3 * v) + 1e-8), 1e-6);
    }
    EXPECT_NEAR(r[6][0], std::log(sum), 1e-5);
    EXPECT_NEAR(r[6][1], 2 * x[n - 1], 1e-6);
    EXPECT_NEAR(r[6][2], dot, 1e-5);
  }
}

}  // namespace
}  // namespace r1::kernels
