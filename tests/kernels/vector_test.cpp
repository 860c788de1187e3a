#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "tensor/codec.h"
#include "tensor/float_formats.h"

namespace r1::kernels {
namespace {

std::vector<const KernelTable*> supported_tables() {
  std::vector<const KernelTable*> tables;
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) tables.push_back(&select_kernels(set));
  }
  return tables;
}

std::vector<float> random_row(int64_t count, float magnitude, uint64_t seed) {
  std::vector<float> row(static_cast<size_t>(count));
  for (size_t i = 0; i < row.size(); i++) {
    row[i] = magnitude * static_cast<float>(2 * random_uniform(seed, i) - 1);
  }
  return row;
}

/// Gaussian, as keys and values nearly are.
std::vector<float> normal_row(int64_t count, uint64_t seed) {
  std::vector<float> row(static_cast<size_t>(count));
  for (size_t i = 0; i < row.size(); i++) {
    const double radius = std::sqrt(-2 * std::log(1 - random_uniform(seed, 2 * i)));
    row[i] = static_cast<float>(radius * std::cos(6.283185307179586 * random_uniform(seed, 2 * i + 1)));
  }
  return row;
}

const int64_t kCounts[] = {1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 80, 100, 288, 1536, 3584 + 5};

/// Runs `body(table, out)` on every instruction set; the bits must agree. Returns them.
template <typename Body>
std::vector<float> on_every_set(size_t count, Body&& body) {
  std::vector<float> first;
  for (const KernelTable* table : supported_tables()) {
    std::vector<float> out(count + 1, 123.0F);  // one more than is written
    body(*table, out.data());
    EXPECT_EQ(out.back(), 123.0F) << table->name << ": wrote past the end";
    if (first.empty()) first = out;
    EXPECT_EQ(std::memcmp(out.data(), first.data(), out.size() * sizeof(float)), 0)
        << table->name << " " << count;
  }
  first.pop_back();
  return first;
}

TEST(Vector, RmsNorm) {
  for (int64_t count : kCounts) {
    const std::vector<float> x = random_row(count, 3, 1);
    const std::vector<float> weight = random_row(count, 2, 2);
    const std::vector<float> out = on_every_set(x.size(), [&](const KernelTable& table, float* to) {
      table.rms_norm(x.data(), weight.data(), count, 1e-6F, to);
    });
    const std::vector<float> in_place = on_every_set(x.size(), [&](const KernelTable& table, float* to) {
      std::memcpy(to, x.data(), x.size() * sizeof(float));
      table.rms_norm(to, weight.data(), count, 1e-6F, to);
    });
    EXPECT_EQ(out, in_place);
    double sum = 0;
    for (float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
    const double inverse = 1 / std::sqrt(sum / static_cast<double>(count) + 1e-6);
    for (size_t i = 0; i < x.size(); i++) {
      const double expected = static_cast<double>(x[i]) * inverse * static_cast<double>(weight[i]);
      EXPECT_NEAR(out[i], expected, 4e-7 * std::fabs(expected));
    }
  }
}

TEST(Vector, SwigluMatchesDoubleOverTheWholeRange) {
  std::vector<float> gate;
  for (float g = -120; g <= 120; g += 0.0371F) gate.push_back(g);
  for (float g = 1e-30F; g < 1; g *= 7) gate.insert(gate.end(), {g, -g});
  gate.insert(gate.end(), {0.0F, -0.0F, 88.8F, -88.8F, -87.0F, -104.5F, 3e38F, -3e38F});
  const std::vector<float> up = random_row(static_cast<int64_t>(gate.size()), 2, 3);
  const std::vector<float> out = on_every_set(gate.size(), [&](const KernelTable& table, float* to) {
    table.swiglu(gate.data(), up.data(), static_cast<int64_t>(gate.size()), to);
  });
  for (size_t i = 0; i < gate.size(); i++) {
    const double g = static_cast<double>(gate[i]);
    const double expected = g / (1 + std::exp(-g)) * static_cast<double>(up[i]);
    EXPECT_NEAR(out[i], expected, 4e-7 * std::fabs(expected) + 1e-36) << gate[i];
  }
  for (int64_t count : kCounts) {
    on_every_set(static_cast<size_t>(count), [&](const KernelTable& table, float* to) {
      table.swiglu(gate.data() + 3000, up.data(), count, to);
    });
  }
}

TEST(Vector, SwigluOfNanAndInfinity) {
  const float gate[] = {NAN, INFINITY, -INFINITY, 1};
  const float up[] = {1, 1, 1, NAN};
  for (const KernelTable* table : supported_tables()) {
    float out[4];
    table->swiglu(gate, up, 4, out);
    EXPECT_TRUE(std::isnan(out[0]));
    EXPECT_EQ(out[1], INFINITY);
    EXPECT_TRUE(std::isnan(out[3]));
  }
}

TEST(Vector, Additions) {
  for (int64_t count : kCounts) {
    const std::vector<float> x = random_row(count, 3, 5);
    const std::vector<float> y = random_row(count, 2, 6);
    const std::vector<float> sum = on_every_set(x.size(), [&](const KernelTable& table, float* to) {
      std::memcpy(to, x.data(), x.size() * sizeof(float));
      table.add(to, y.data(), count);
    });
    const std::vector<float> scaled = on_every_set(x.size(), [&](const KernelTable& table, float* to) {
      std::memcpy(to, x.data(), x.size() * sizeof(float));
      table.add_scaled(to, y.data(), 0.3F, count);
    });
    for (size_t i = 0; i < x.size(); i++) {
      EXPECT_EQ(sum[i], x[i] + y[i]);
      EXPECT_EQ(scaled[i], std::fma(0.3F, y[i], x[i]));
    }
  }
}

std::vector<std::byte> stored(const KernelTable& table, DType dtype, const std::vector<float>& x) {
  std::vector<std::byte> out(row_bytes(dtype, static_cast<int64_t>(x.size())) + 1, std::byte{0x5a});
  table.store_row(dtype, x.data(), static_cast<int64_t>(x.size()), out.data());
  EXPECT_EQ(out.back(), std::byte{0x5a}) << table.name << ": wrote past the end";
  out.pop_back();
  return out;
}

double mean_square_error(DType dtype, const std::vector<std::byte>& bytes, const std::vector<float>& x) {
  std::vector<float> seen(x.size());
  dequantise_row(dtype, bytes.data(), seen);
  double sum = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double difference = static_cast<double>(seen[i]) - static_cast<double>(x[i]);
    sum += difference * difference;
  }
  return sum / static_cast<double>(x.size());
}

TEST(StoreRow, HalvesAreRoundedToNearestEven) {
  std::vector<float> x;
  for (uint32_t half = 0; half < 0x7c00; half += 3) {  // each value, the middle to the next, and near it
    const float value = f32_from_f16(static_cast<uint16_t>(half));
    const float next = f32_from_f16(static_cast<uint16_t>(half + 1));
    if (std::isinf(next)) break;
    const float middle = value + (next - value) / 2;
    x.insert(x.end(), {value, -middle, std::nextafterf(middle, 0.0F), std::nextafterf(middle, next)});
  }
  x.insert(x.end(), {65519.9F, 65520.0F, 1e9F, INFINITY, -INFINITY, 1e-30F, -0.0F});
  for (const KernelTable* table : supported_tables()) {
    const std::vector<std::byte> bytes = stored(*table, DType::f16, x);
    for (size_t i = 0; i < x.size(); i++) {
      uint16_t half;
      std::memcpy(&half, bytes.data() + 2 * i, 2);
      ASSERT_EQ(half, f16_from_f32(x[i])) << table->name << " " << x[i];
    }
  }
}

TEST(StoreRow, SameBytesOnEveryInstructionSet) {
  for (DType dtype : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    for (uint64_t seed = 0; seed < 50; seed++) {
      std::vector<float> x =
          random_row(96, static_cast<float>(std::pow(10.0, static_cast<double>(seed % 14) - 9)), seed);
      x[5] = 0;
      if (seed % 3 == 0) std::fill(x.begin() + 32, x.begin() + 64, 0.0F);
      if (seed % 5 == 0) std::fill(x.begin(), x.begin() + 32, -2.5F);
      const std::vector<std::byte> first = stored(select_kernels(InstructionSet::scalar), dtype, x);
      for (const KernelTable* table : supported_tables())
        EXPECT_EQ(stored(*table, dtype, x), first) << table->name;
    }
  }
}

TEST(StoreRow, Q8ErrorIsHalfAStep) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    const std::vector<float> x = normal_row(32, seed);
    const std::vector<std::byte> bytes = stored(select_kernels(), DType::q8_0, x);
    std::vector<float> seen(32);
    dequantise_row(DType::q8_0, bytes.data(), seen);
    float largest = 0;
    for (float value : x) largest = std::max(largest, std::fabs(value));
    for (size_t i = 0; i < 32; i++) EXPECT_LE(std::fabs(seen[i] - x[i]), 0.51F * largest / 127) << i;
  }
}

TEST(StoreRow, Q4IsBetterThanTheMaximumRule) {
  const std::vector<float> x = normal_row(32 * 500, 9);
  const double error = mean_square_error(DType::q4_0, stored(select_kernels(), DType::q4_0, x), x);
  // The usual rule: the value of largest magnitude becomes -8.
  std::vector<std::byte> usual(row_bytes(DType::q4_0, static_cast<int64_t>(x.size())));
  for (size_t block = 0; block < x.size() / 32; block++) {
    const float* v = x.data() + 32 * block;
    float extreme = 0;
    for (int i = 0; i < 32; i++) extreme = std::fabs(v[i]) > std::fabs(extreme) ? v[i] : extreme;
    const float d = extreme / -8;
    const uint16_t half = f16_from_f32(d);
    std::memcpy(usual.data() + 18 * block, &half, 2);
    for (int i = 0; i < 16; i++) {
      auto level = [&](float value) { return std::min(15, static_cast<int>(value / d + 8.5F)); };
      usual[18 * block + 2 + static_cast<size_t>(i)] =
          static_cast<std::byte>(level(v[i]) | level(v[i + 16]) << 4);
    }
  }
  const double usual_error = mean_square_error(DType::q4_0, usual, x);
  RecordProperty("ratio", std::to_string(error / usual_error));
  EXPECT_LT(error, 0.9 * usual_error);
}

TEST(StoreRow, BrokenValuesStayVisible) {
  for (DType dtype : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    for (float bad : {NAN, INFINITY}) {
      std::vector<float> x = random_row(32, 1, 4);
      x[20] = bad;
      for (const KernelTable* table : supported_tables()) {
        const std::vector<std::byte> bytes = stored(*table, dtype, x);
        std::vector<float> seen(32);
        dequantise_row(dtype, bytes.data(), seen);
        EXPECT_FALSE(std::isfinite(seen[20])) << table->name << " " << name(dtype);
      }
    }
  }
}

}  // namespace
}  // namespace r1::kernels
