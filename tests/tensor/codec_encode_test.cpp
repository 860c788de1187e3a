#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tensor/codec.h"
#include "tensor/codec_assess.h"
#include "tensor/float_formats.h"

namespace r1 {
namespace {

/// Standard normal numbers, the same everywhere.
std::vector<float> normal_values(size_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - random_uniform(seed, 2 * i)));
    values[i] = static_cast<float>(radius * std::cos(2 * std::numbers::pi * random_uniform(seed, 2 * i + 1)));
  }
  return values;
}

std::vector<float> round_trip(DType dtype, const std::vector<float>& values,
                              const std::vector<float>& importance = {}) {
  std::vector<std::byte> bytes(row_bytes(dtype, static_cast<int64_t>(values.size())));
  quantise_row(dtype, values, bytes.data(), importance);
  std::vector<float> decoded(values.size());
  dequantise_row(dtype, bytes.data(), decoded);
  return decoded;
}

double weighted_error(const std::vector<float>& a, const std::vector<float>& b,
                      const std::vector<float>& weight) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (weight.empty() ? 1.0 : weight[i]) * std::pow(double{a[i]} - b[i], 2);
  return sum;
}

double relative_rms(const std::vector<float>& decoded, const std::vector<float>& values) {
  return std::sqrt(weighted_error(decoded, values, {}) /
                   weighted_error(std::vector<float>(values.size()), values, {}));
}

/// `peer`: the relative root-mean-square error of llama.cpp's quantiser (August 2026, no importance matrix)
/// on normal_values(65536, 1) in rows of 1024.
struct Quality {
  DType dtype;
  double peer;
};
constexpr Quality kQuality[] = {
    {DType::q8_0, 0.00538}, {DType::q4_0, 0.08594}, {DType::q4_1, 0.07822}, {DType::q5_0, 0.04261},
    {DType::q5_1, 0.03784}, {DType::q2_k, 0.29551}, {DType::q3_k, 0.15122}, {DType::q4_k, 0.07156},
    {DType::q5_k, 0.03620}, {DType::q6_k, 0.01771},
};

class Encoders : public testing::TestWithParam<Quality> {};

TEST_P(Encoders, ErrorIsSmallerThanTheCommonQuantisers) {
  const std::vector<float> values = normal_values(65536, 1);
  EXPECT_LT(relative_rms(round_trip(GetParam().dtype, values), values), GetParam().peer);
}

TEST_P(Encoders, ScaleDoesNotMatter) {
  std::vector<float> values = normal_values(4096, 2);
  const double error = relative_rms(round_trip(GetParam().dtype, values), values);
  for (float& value : values) value *= 1000;
  EXPECT_NEAR(relative_rms(round_trip(GetParam().dtype, values), values), error, 0.02 * error);
}

TEST_P(Encoders, ImportanceMovesTheError) {
  const std::vector<float> values = normal_values(4096, 3);
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < values.size(); ++i) importance[i] = random_uniform(4, i) < 0.2 ? 20.0F : 0.1F;
  const DType dtype = GetParam().dtype;
  EXPECT_LT(weighted_error(round_trip(dtype, values, importance), values, importance),
            weighted_error(round_trip(dtype, values), values, importance));
  EXPECT_LT(relative_rms(round_trip(dtype, values, std::vector<float>(values.size(), 0.0F)), values), 0.4);
}

TEST_P(Encoders, SpecialRows) {
  const DType dtype = GetParam().dtype;
  const std::vector<float> zeros(256);
  EXPECT_EQ(round_trip(dtype, zeros), zeros);
  for (float constant : {0.5F, -0.5F, 3.0F, -1e-3F}) {
    const std::vector<float> values(256, constant);
    EXPECT_LT(relative_rms(round_trip(dtype, values), values), 2e-3) << constant;
  }
  std::vector<float> spike(256);
  spike[77] = -100;
  EXPECT_LT(relative_rms(round_trip(dtype, spike), spike), 2e-3);
  std::vector<float> tiny = normal_values(256, 5);
  for (float& value : tiny) value *= 1e-20F;
  for (float value : round_trip(dtype, tiny)) EXPECT_EQ(value, 0);
}

TEST_P(Encoders, RefuseWhatDoesNotFit) {
  const DType dtype = GetParam().dtype;
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F, 2e9F}) {
    std::vector<float> values(256, 0.25F);
    values[200] = bad;
    EXPECT_THROW(round_trip(dtype, values), Error) << bad;
  }
  const std::vector<float> values(256, 0.25F);
  EXPECT_THROW(round_trip(dtype, values, std::vector<float>(255, 1.0F)), Error);
  EXPECT_THROW(round_trip(dtype, values, std::vector<float>(256, -1.0F)), Error);
  EXPECT_THROW(round_trip(dtype, std::vector<float>(24)), Error);
}

INSTANTIATE_TEST_SUITE_P(EveryType, Encoders, testing::ValuesIn(kQuality),
                         [](const auto& parameter) { return std::string(name(parameter.param.dtype)); });

TEST(Encode, PlainFloats) {
  const std::vector<float> values = {1.0F, -2.5F, 1.0F / 3, 65504};
  EXPECT_EQ(round_trip(DType::f32, values), values);
  EXPECT_EQ(round_trip(DType::f16, values), (std::vector<float>{1, -2.5F, 0.333251953125F, 65504}));
  EXPECT_EQ(round_trip(DType::bf16, values), (std::vector<float>{1, -2.5F, 0.333984375F, 65536}));
  EXPECT_THROW(round_trip(DType::f16, {65520}), Error);
}

TEST(Encode, UnknownTypesAreRefused) {
  EXPECT_FALSE(can_quantise(DType::iq2_xs));
  EXPECT_TRUE(can_quantise(DType::q4_k));
  EXPECT_THROW(round_trip(DType::iq2_xs, std::vector<float>(256)), Error);
}

TEST(Encode, EveryInstructionSetGivesTheSameBits) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0) GTEST_SKIP() << "no AVX2";
  const std::vector<float> x = normal_values(32, 6);
  const std::vector<float> w(32, 1.25F);
  for (float scale : {0.1F, -0.3F, 0.0F}) {
    const codec::AssessedLine line = {scale, scale == 0 ? 0 : 1 / scale, 0.7F, 0, 15};
    const codec::Moments a = codec::kAssessorsPlain.assess_32(x.data(), w.data(), line);
    const codec::Moments b = codec::kAssessorsAvx2.assess_32(x.data(), w.data(), line);
    EXPECT_EQ(a.error, b.error);
    EXPECT_EQ(a.wq, b.wq);
    EXPECT_EQ(a.wqq, b.wqq);
    EXPECT_EQ(a.wxq, b.wxq);
    EXPECT_EQ(codec::kAssessorsPlain.assess_16(x.data(), w.data(), line).error,
              codec::kAssessorsAvx2.assess_16(x.data(), w.data(), line).error);
  }
#endif
}

}  // namespace
}  // namespace r1
