// The matrix kernels: every instruction set gives the bits of the scalar twin, whatever the number of rows;
// the scalar twin is near a double-precision product of decoded weights.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/kernels.h"
#include "tensor/codec.h"
#include "tensor/dtype.h"
#include "tensor/float_formats.h"
#include "tensor/integer_blocks.h"

namespace r1::kernels {
namespace {

constexpr InstructionSet kSets[] = {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512};

std::vector<InstructionSet> sets_here() {
  std::vector<InstructionSet> sets;
  for (InstructionSet set : kSets)
    if (is_supported(set)) sets.push_back(set);
  return sets;
}

std::vector<DType> quantised_types() {
  std::vector<DType> types;
  for (int i = 0; i < kDTypeCount; i++)
    if (is_quantised(static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  return types;
}

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
std::unique_ptr<std::byte[], AlignedDelete> aligned_bytes(size_t bytes) {
  return std::unique_ptr<std::byte[], AlignedDelete>(new (std::align_val_t{64}) std::byte[bytes]);
}

/// Weights of any type: random bytes, as long as they decode to finite numbers of moderate size.
struct Weights {
  Weights(DType type, int64_t outputs, int64_t inputs, uint32_t seed) : random(seed) {
    const size_t bytes = row_bytes(type, inputs);
    matrix = {.dtype = type, .outputs = outputs, .inputs = inputs, .row_bytes = bytes};
    // Exactly as large as the matrix, so that the address sanitizer sees reads past the end.
    data.resize(static_cast<size_t>(outputs) * bytes);
    const DTypeInfo& form = info(type);
    const int64_t blocks = outputs * inputs / form.block_elements;
    for (int64_t i = 0; i < blocks; i++) fill_block(data.data() + i * form.block_bytes);
    matrix.data = data.data();
    if (type == DType::f8_e4m3) {
      block_scales.resize(static_cast<size_t>((outputs + 127) / 128 * ((inputs + 127) / 128)));
      for (float& scale : block_scales) scale = std::uniform_real_distribution<float>(0.5F, 2.0F)(random);
      matrix.block_scales = block_scales.data();
    }
  }

  void fill_block(std::byte* block) {
    const DTypeInfo& form = info(matrix.dtype);
    std::vector<float> values(static_cast<size_t>(form.block_elements));
    for (;;) {
      for (int i = 0; i < form.block_bytes; i++) block[i] = static_cast<std::byte>(random());
      dequantise_row(matrix.dtype, block, values);
      bool usable = true;
      for (float value : values) usable = usable && std::isfinite(value) && std::fabs(value) < 1e4F;
      if (usable) return;
    }
  }

  std::vector<float> decoded(int64_t output) const {
    std::vector<float> values(static_cast<size_t>(matrix.inputs));
    dequantise_row(matrix.dtype, matrix.data + static_cast<size_t>(output) * matrix.row_bytes, values);
    if (!block_scales.empty())
      for (int64_t i = 0; i < matrix.inputs; i++)
        values[static_cast<size_t>(i)] *=
            block_scales[static_cast<size_t>(output / 128 * ((matrix.inputs + 127) / 128) + i / 128)];
    return values;
  }

  std::mt19937 random;
  WeightMatrix matrix;
  std::vector<std::byte> data;
  std::vector<float> block_scales;
};

std::vector<float> random_rows(int64_t rows, int64_t columns, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * columns));
  for (float& value : x) value = normal(random) * (random() % 64 == 0 ? 20.0F : 1.0F);
  return x;
}

struct Quantised {
  Quantised(const KernelTable& table, const std::vector<float>& x, int64_t rows, int64_t columns)
      : values(static_cast<size_t>(rows * columns)),
        scales(static_cast<size_t>(rows * columns / 32)),
        sums(static_cast<size_t>(rows * columns / 16)) {
    view = {values.data(), scales.data(), sums.data()};
    table.quantise_rows(x.data(), rows, columns, columns, view);
  }
  QuantisedRows row(int64_t r, int64_t columns) const {
    return {view.values + r * columns, view.scales + r * columns / 32, view.sums + r * columns / 16};
  }
  std::vector<int8_t> values;
  std::vector<float> scales;
  std::vector<int32_t> sums;
  QuantisedRows view;
};

std::vector<float> product(const KernelTable& table, const Weights& w, const QuantisedRows& x, int64_t rows) {
  const int64_t outputs = w.matrix.outputs;
  std::vector<float> y(static_cast<size_t>(rows * outputs), NAN);
  const auto scratch = aligned_bytes(matmul_scratch_bytes(w.matrix.inputs, rows));
  table.matmul_quantised(w.matrix, 0, outputs, x, rows, y.data(), outputs, scratch.get());
  return y;
}

std::vector<float> float_product(const KernelTable& table, const Weights& w, const float* x, int64_t rows) {
  const int64_t outputs = w.matrix.outputs;
  std::vector<float> y(static_cast<size_t>(rows * outputs), NAN);
  const auto scratch = aligned_bytes(matmul_scratch_bytes(w.matrix.inputs, rows));
  table.matmul_float(w.matrix, 0, outputs, x, w.matrix.inputs, rows, y.data(), outputs, scratch.get());
  return y;
}

void expect_same_bits(const std::vector<float>& found, const std::vector<float>& expected,
                      const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); i++)
    ASSERT_EQ(std::bit_cast<uint32_t>(found[i]), std::bit_cast<uint32_t>(expected[i]))
        << what << ": element " << i << " is " << found[i] << ", expected " << expected[i];
}

// The other tests compare the sets that this processor has.
TEST(KernelSets, AllAreTestedHere) {
  std::string absent;
  for (InstructionSet set : kSets) {
    if (is_supported(set)) {
      EXPECT_NE(select_kernels(set).training, nullptr);
    } else {
      absent += set == InstructionSet::avx512 ? " avx512" : " avx2";
    }
  }
  if (!absent.empty())
    GTEST_SKIP() << "the kernels of sets that this processor lacks are not tested:" << absent;
}

TEST(QuantiseRows, RoundsToTheNearestStepOfTheGroup) {
  std::vector<float> x = random_rows(3, 96, 1);
  std::fill_n(x.begin(), 32, 0.0F);
  x[40] = 0.0F;
  for (InstructionSet set : sets_here()) {
    const Quantised q(select_kernels(set), x, 3, 96);
    for (size_t g = 0; g < 9; g++) {
      float largest = 0;
      int32_t sums[2] = {};
      for (size_t i = 0; i < 32; i++) largest = std::max(largest, std::fabs(x[g * 32 + i]));
      EXPECT_EQ(q.scales[g], largest / 127.0F);
      for (size_t i = 0; i < 32; i++) {
        EXPECT_LE(std::abs(q.values[g * 32 + i]), 127);
        EXPECT_NEAR(q.scales[g] * q.values[g * 32 + i], x[g * 32 + i], q.scales[g] * 0.5001F);
        sums[i / 16] += q.values[g * 32 + i];
      }
      EXPECT_EQ(q.sums[g * 2], sums[0]);
      EXPECT_EQ(q.sums[g * 2 + 1], sums[1]);
    }
  }
}

TEST(QuantiseRows, GivesTheSameBitsOnEverySet) {
  std::vector<float> x = random_rows(5, 320, 2);
  for (size_t i = 0; i < 32; i++) x[i] *= 1e-38F;   // a group as good as zero
  for (size_t i = 32; i < 64; i++) x[i] *= 1e-30F;  // a small one
  for (size_t i = 64; i < 96; i++) x[i] = i % 2 == 0 ? 127.0F : 0.5F + static_cast<float>(i - 64);  // ties
  const Quantised expected(select_kernels(InstructionSet::scalar), x, 5, 320);
  for (InstructionSet set : sets_here()) {
    const Quantised found(select_kernels(set), x, 5, 320);
    EXPECT_EQ(found.values, expected.values);
    expect_same_bits(found.scales, expected.scales, "scales");
    EXPECT_EQ(found.sums, expected.sums);
  }
}

// Tolerance: float32 sums over 2 terms a group; 4e-6 of the sum of magnitudes.
TEST(MatmulQuantised, ScalarIsNearTheProductOfDecodedWeights) {
  const KernelTable& scalar = select_kernels(InstructionSet::scalar);
  for (DType type : quantised_types()) {
    const Weights w(type, 21, 1280, 3);
    const Quantised x(scalar, random_rows(3, 1280, 4), 3, 1280);
    const std::vector<float> y = product(scalar, w, x.view, 3);
    for (int64_t o = 0; o < 21; o++) {
      const std::vector<float> weights = w.decoded(o);
      for (int64_t r = 0; r < 3; r++) {
        double sum = 0;
        double magnitude = 0;
        for (int64_t i = 0; i < 1280; i++) {
          const double term = static_cast<double>(weights[static_cast<size_t>(i)]) *
                              x.scales[static_cast<size_t>(r * 40 + i / 32)] *
                              x.values[static_cast<size_t>(r * 1280 + i)];
          sum += term;
          magnitude += std::fabs(term);
        }
        ASSERT_NEAR(y[static_cast<size_t>(r * 21 + o)], sum, 4e-6 * magnitude)
            << name(type) << " output " << o;
      }
    }
  }
}

// One product of a scale with kMagic must be exact for the trick of cpu/panel.h.
TEST(MatmulQuantised, ScalesOfEveryTypeLeaveRoomForTheMagicNumber) {
  for (DType type : quantised_types()) {
    Weights w(type, 1, 256, 5);
    const DTypeInfo& form = info(type);
    for (int i = 0; i < 2000; i++) {
      w.fill_block(w.data.data());
      int8_t q[256];
      float scales[16];
      float minimums[16];
      decode_integer_block(type, w.data.data(), q, scales, minimums);
      for (int g = 0; g < form.block_elements / 16; g++) {
        const double exact = double{scales[g]} * 0x1.8p23;
        ASSERT_EQ(static_cast<double>(static_cast<float>(exact)), exact) << name(type);
      }
    }
  }
}

TEST(MatmulQuantised, EverySetAndNumberOfRowsGivesTheScalarBits) {
  constexpr int64_t kRows = 29;
  struct Shape {
    int64_t outputs, inputs;
  };
  for (DType type : quantised_types()) {
    for (const Shape shape : {Shape{37, 1536}, Shape{16, 256}, Shape{5, 2304}}) {
      const Weights w(type, shape.outputs, shape.inputs, 6);
      const std::vector<float> x = random_rows(kRows, shape.inputs, 7);
      const Quantised quantised(select_kernels(InstructionSet::scalar), x, kRows, shape.inputs);
      const std::vector<float> expected =
          product(select_kernels(InstructionSet::scalar), w, quantised.view, kRows);
      for (InstructionSet set : sets_here()) {
        for (int64_t rows :
             {kRows, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{5}, int64_t{7}, int64_t{12}, int64_t{14}}) {
          for (int64_t first : {int64_t{0}, kRows - rows}) {
            const auto y = product(select_kernels(set), w, quantised.row(first, shape.inputs), rows);
            const auto begin = expected.begin() + first * shape.outputs;
            ASSERT_NO_FATAL_FAILURE(
                expect_same_bits(y, std::vector<float>(begin, begin + rows * shape.outputs),
                                 std::string(name(type)) + " on " + std::string(select_kernels(set).name) +
                                     ", rows " + std::to_string(rows)));
          }
        }
      }
    }
  }
}

// A row's outputs are taken a distance apart that depends on the call's length.
TEST(MatmulQuantised, LongCallsOfFewRowsGiveTheBitsOfShortOnes) {
  struct Case {
    DType type;
    int64_t outputs, inputs;
  };
  for (const Case& c :
       {Case{DType::q4_k, 16 * 37 + 5, 256}, Case{DType::q6_k, 16 * 33, 256}, Case{DType::q8_0, 40, 64},
        // 16 rows of 2304 bytes: nine pages, so all streams would meet in one set of the cache
        Case{DType::q4_k, 256, 4096}}) {
    const Weights w(c.type, c.outputs, c.inputs, 7);
    const std::vector<float> x = random_rows(2, c.inputs, 8);
    for (InstructionSet set : sets_here()) {
      const KernelTable& table = select_kernels(set);
      const Quantised q(table, x, 2, c.inputs);
      const auto scratch = aligned_bytes(matmul_scratch_bytes(c.inputs, 2));
      std::vector<float> expected(static_cast<size_t>(2 * c.outputs), NAN);
      for (int64_t begin = 0; begin < c.outputs; begin += kOutputPanel)
        table.matmul_quantised(w.matrix, begin, std::min(begin + kOutputPanel, c.outputs), q.view, 2,
                               expected.data(), c.outputs, scratch.get());
      const std::string what(name(c.type));
      expect_same_bits(product(table, w, q.view, 2), expected, what);
      expect_same_bits(product(table, w, q.view, 1),
                       {expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(c.outputs)}, what);
    }
  }
}

TEST(MatmulQuantised, TakesColumnsThatAreNoMultipleOf256) {
  for (DType type : quantised_types()) {
    if (info(type).block_elements != 32) continue;
    const Weights w(type, 33, 1120, 8);
    const Quantised x(select_kernels(InstructionSet::scalar), random_rows(13, 1120, 9), 13, 1120);
    const std::vector<float> expected = product(select_kernels(InstructionSet::scalar), w, x.view, 13);
    for (InstructionSet set : sets_here())
      ASSERT_NO_FATAL_FAILURE(
          expect_same_bits(product(select_kernels(set), w, x.view, 13), expected, std::string(name(type))));
  }
}

TEST(MatmulQuantised, WritesOnlyItsOutputs) {
  const Weights w(DType::q4_k, 70, 256, 10);
  for (InstructionSet set : sets_here()) {
    const KernelTable& table = select_kernels(set);
    const Quantised x(table, random_rows(2, 256, 11), 2, 256);
    const std::vector<float> expected = product(table, w, x.view, 2);
    std::vector<float> y(2 * 80, -1.0F);
    const auto scratch = aligned_bytes(matmul_scratch_bytes(256, 2));
    table.matmul_quantised(w.matrix, 32, 52, x.view, 2, y.data(), 80, scratch.get());
    for (size_t r = 0; r < 2; r++)
      for (size_t o = 0; o < 80; o++)
        EXPECT_EQ(y[r * 80 + o], o >= 32 && o < 52 ? expected[r * 70 + o] : -1.0F);
  }
}

TEST(MatmulQuantised, RefusesWhatDoesNotFit) {
  const KernelTable& table = select_kernels();
  Weights w(DType::q8_0, 16, 64, 12);
  const Quantised x(table, random_rows(1, 64, 13), 1, 64);
  std::vector<float> y(16);
  const auto scratch = aligned_bytes(matmul_scratch_bytes(64, 1));
  EXPECT_THROW(table.matmul_quantised(w.matrix, 8, 16, x.view, 1, y.data(), 16, scratch.get()), Error);
  EXPECT_THROW(table.matmul_quantised(w.matrix, 0, 17, x.view, 1, y.data(), 16, scratch.get()), Error);
  w.matrix.inputs = 40;
  EXPECT_THROW(table.matmul_quantised(w.matrix, 0, 16, x.view, 1, y.data(), 16, scratch.get()), Error);
  w.matrix.inputs = 64;
  w.matrix.dtype = DType::f16;
  EXPECT_THROW(table.matmul_quantised(w.matrix, 0, 16, x.view, 1, y.data(), 16, scratch.get()), Error);
}

// Tolerance: fused sums of 32, then block sums: 1e-6 of the sum of magnitudes.
TEST(MatmulFloat, ScalarIsNearTheProductInDouble) {
  const KernelTable& scalar = select_kernels(InstructionSet::scalar);
  std::vector<DType> types = quantised_types();
  for (DType type : {DType::f32, DType::f16, DType::bf16, DType::f8_e4m3}) types.push_back(type);
  for (DType type : types) {
    const int64_t inputs = is_quantised(type) ? 512 : 523;
    const Weights w(type, 21, inputs, 14);
    const std::vector<float> x = random_rows(3, inputs, 15);
    const std::vector<float> y = float_product(scalar, w, x.data(), 3);
    for (int64_t o = 0; o < 21; o++) {
      const std::vector<float> weights = w.decoded(o);
      for (int64_t r = 0; r < 3; r++) {
        double sum = 0;
        double magnitude = 0;
        for (int64_t i = 0; i < inputs; i++) {
          const double term =
              double{weights[static_cast<size_t>(i)]} * x[static_cast<size_t>(r * inputs + i)];
          sum += term;
          magnitude += std::fabs(term);
        }
        ASSERT_NEAR(y[static_cast<size_t>(r * 21 + o)], sum, 1e-6 * magnitude)
            << name(type) << " output " << o;
      }
    }
  }
}

TEST(MatmulFloat, EverySetAndNumberOfRowsGivesTheScalarBits) {
  constexpr int64_t kRows = 27;
  std::vector<DType> types = quantised_types();
  for (DType type : {DType::f32, DType::f16, DType::bf16, DType::f8_e4m3}) types.push_back(type);
  for (DType type : types) {
    for (int64_t inputs : {int64_t{512}, int64_t{512 + 129}, int64_t{40}, int64_t{7}}) {
      if (is_quantised(type) && inputs % 256 != 0) continue;
      const int64_t outputs = inputs == 641 ? 133 : 19;
      const Weights w(type, outputs, inputs, 16);
      const std::vector<float> x = random_rows(kRows, inputs, 17);
      const std::vector<float> expected =
          float_product(select_kernels(InstructionSet::scalar), w, x.data(), kRows);
      for (InstructionSet set : sets_here()) {
        for (int64_t rows : {kRows, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{6}}) {
          const int64_t first = kRows - rows;
          const auto y = float_product(select_kernels(set), w, x.data() + first * inputs, rows);
          const auto begin = expected.begin() + first * outputs;
          ASSERT_NO_FATAL_FAILURE(expect_same_bits(y, std::vector<float>(begin, begin + rows * outputs),
                                                   std::string(name(type)) + " on " +
                                                       std::string(select_kernels(set).name) + ", rows " +
                                                       std::to_string(rows)));
        }
      }
    }
  }
}

TEST(MatmulFloat, DecodesEveryFp8Value) {
  Weights w(DType::f8_e4m3, 1, 256, 18);
  for (size_t i = 0; i < 256; i++) w.data[i] = static_cast<std::byte>(i);
  w.block_scales.assign(2, 1.0F);
  w.matrix.block_scales = w.block_scales.data();
  for (InstructionSet set : sets_here()) {
    for (size_t i = 0; i < 256; i++) {
      if (i % 128 == 127) continue;  // NaN
      std::vector<float> x(256, 0.0F);
      std::vector<std::byte> row = w.data;
      row[127] = row[255] = std::byte{0};
      w.matrix.data = row.data();
      x[i] = 1.0F;
      EXPECT_EQ(float_product(select_kernels(set), w, x.data(), 1)[0],
                f32_from_f8_e4m3(static_cast<uint8_t>(i)));
    }
    w.matrix.data = w.data.data();
    EXPECT_TRUE(
        std::isnan(float_product(select_kernels(set), w, std::vector<float>(256, 1.0F).data(), 1)[0]));
  }
}

// The order of sums is part of the interface: one fused chain over ascending rows of the weights.
TEST(MatmulTransposed, EverySetAndNumberOfRowsGivesTheBitsOfPlainChains) {
  constexpr int64_t kRows = 14, kBegin = 3, kCount = 37, kStored = 45;
  std::vector<DType> types = quantised_types();
  for (DType type : {DType::f32, DType::f16, DType::bf16, DType::f8_e4m3}) types.push_back(type);
  for (DType type : types) {
    for (int64_t columns : {int64_t{512}, int64_t{1536}, int64_t{96}, int64_t{523}}) {
      if (columns % info(type).block_elements != 0) continue;
      const Weights w(type, kStored, columns, 19);
      const std::vector<float> x = random_rows(kRows, kCount + 2, 20);  // rows lie kCount + 2 apart
      std::vector<float> expected(static_cast<size_t>(kRows * columns));
      for (int64_t o = 0; o < kCount; o++) {
        const std::vector<float> weights = w.decoded(kBegin + o);
        for (int64_t r = 0; r < kRows; r++)
          for (int64_t c = 0; c < columns; c++) {
            float& sum = expected[static_cast<size_t>(r * columns + c)];
            sum =
                std::fma(x[static_cast<size_t>(r * (kCount + 2) + o)], weights[static_cast<size_t>(c)], sum);
          }
      }
      for (InstructionSet set : sets_here()) {
        for (int64_t rows : {kRows, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{5}}) {
          const int64_t first = kRows - rows;
          const int64_t stride = columns + 3;
          std::vector<float> y(static_cast<size_t>(rows * stride), NAN);
          const auto scratch = aligned_bytes(transposed_scratch_bytes());
          select_kernels(set).matmul_transposed(w.matrix, kBegin, kCount, x.data() + first * (kCount + 2),
                                                kCount + 2, rows, y.data(), stride, scratch.get());
          for (int64_t r = 0; r < rows; r++) {
            const auto found = y.begin() + r * stride;
            const auto wanted = expected.begin() + (first + r) * columns;
            ASSERT_NO_FATAL_FAILURE(expect_same_bits({found, found + columns}, {wanted, wanted + columns},
                                                     std::string(name(type)) + " on " +
                                                         std::string(select_kernels(set).name) + ", rows " +
                                                         std::to_string(rows)));
            for (int64_t c = columns; c < stride; c++)
              ASSERT_TRUE(std::isnan(found[c])) << "written past the row's end";
          }
        }
      }
    }
  }
}

TEST(InstructionSets, AreFoundByName) {
  EXPECT_EQ(instruction_set_from_name("avx2"), InstructionSet::avx2);
  EXPECT_EQ(instruction_set_from_name("AVX2"), std::nullopt);
  EXPECT_TRUE(is_supported(InstructionSet::scalar));
  EXPECT_EQ(select_kernels(InstructionSet::scalar).name, "scalar");
}

}  // namespace
}  // namespace r1::kernels
