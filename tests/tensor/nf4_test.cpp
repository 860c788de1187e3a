// NF4 and the dynamic 8-bit type against plain searches (tools/make_nf4_fixture.py).
#include "tensor/nf4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "tensor/codec.h"
#include "tensor/dynamic_code.h"

namespace r1 {
namespace {

TEST(DynamicCode, HasTheValuesOfItsDescription) {
  const DynamicCode& code = DynamicCode::of_signed();
  EXPECT_EQ(code.value(255), 1.0F);
  EXPECT_EQ(code.value(127), 0.0F);
  EXPECT_FLOAT_EQ(code.value(128), 5.5e-7F);
  EXPECT_FLOAT_EQ(code.value(126), -5.5e-7F);
  EXPECT_FLOAT_EQ(code.value(254), 0.1F + 0.9F * 63.5F / 64);
  EXPECT_FLOAT_EQ(code.value(0), -code.value(254));
  EXPECT_FLOAT_EQ(DynamicCode::of_unsigned().value(1), 1e-6F * (0.1F + 0.9F * 0.25F));
  EXPECT_EQ(DynamicCode::of_unsigned().value(0), 0.0F);
  for (const DynamicCode* tested : {&code, &DynamicCode::of_unsigned()}) {
    for (int i = 0; i < 256; ++i) {
      EXPECT_EQ(tested->nearest(tested->value(static_cast<uint8_t>(i))), i);
      if (i == 0) continue;
      EXPECT_GT(tested->value(static_cast<uint8_t>(i)), tested->value(static_cast<uint8_t>(i - 1)));
    }
    EXPECT_EQ(tested->nearest(2.0F), 255);
    EXPECT_EQ(tested->nearest(-2.0F), 0);
  }
}

TEST(DynamicCode, TheNearestIsTheOneOfAPlainSearch) {
  for (const DynamicCode* code : {&DynamicCode::of_signed(), &DynamicCode::of_unsigned()}) {
    std::vector<float> middles;
    for (int i = 0; i < 255; ++i)
      middles.push_back(0.5F *
                        (code->value(static_cast<uint8_t>(i)) + code->value(static_cast<uint8_t>(i + 1))));
    std::vector<float> tried{0.0F, -0.0F, 1.0F, -1.0F};
    for (const float middle : middles) {
      float below = middle, above = middle;
      for (int i = 0; i < 3; ++i) {
        tried.insert(tried.end(), {below, above});
        below = std::nextafter(below, -2.0F);
        above = std::nextafter(above, 2.0F);
      }
    }
    for (uint32_t bits = 0; bits <= std::bit_cast<uint32_t>(1.0F); bits += 4099) {
      tried.insert(tried.end(), {std::bit_cast<float>(bits), -std::bit_cast<float>(bits)});
    }
    int wrong = 0;
    for (const float x : tried) {
      const auto place = std::lower_bound(middles.begin(), middles.end(), x) - middles.begin();
      if (code->nearest(x) != place && wrong++ < 5) ADD_FAILURE() << x << ": " << int{code->nearest(x)};
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(Nf4, AgreesWithPlainSearches) {
  constexpr int64_t kRows = 300, kColumns = 64;
  std::ifstream file(std::string(R1_TEST_FIXTURES) + "/nf4/matrix.json");
  const nlohmann::json fixture = nlohmann::json::parse(file);
  std::vector<float> matrix;
  uint64_t state = 1;
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const double share = static_cast<double>(state >> 40) / (1 << 24) - 0.5;
    matrix.push_back(static_cast<float>(share * static_cast<double>(i / kColumns % 7 + 1) * 0.01));
  }
  std::vector<std::byte> data(kRows * row_bytes(DType::nf4, kColumns));
  std::vector<float> scales(nf4_scale_count(kRows, kColumns)), largest(kRows);
  quantise_nf4(
      kRows, kColumns,
      [&](int64_t row, std::span<float> out) {
        std::copy_n(matrix.data() + row * kColumns, kColumns, out.data());
      },
      largest, data.data(), scales.data());
  const auto expected_scales = fixture["scales"].get<std::vector<double>>();
  ASSERT_EQ(scales.size(), expected_scales.size());
  for (size_t i = 0; i < scales.size(); ++i)
    EXPECT_FLOAT_EQ(scales[i], static_cast<float>(expected_scales[i]));
  const std::string weights = fixture["weights"];
  for (int64_t block = 0; block < kRows; ++block) {
    const auto* stored = reinterpret_cast<const uint8_t*>(data.data()) + block * kNf4BlockBytes;
    EXPECT_EQ(stored[0], fixture["scale_codes"][block]) << block;
    for (int64_t i = 0; i < 32; ++i) {
      const int byte = std::stoi(weights.substr((block * 32 + i) * 2, 2), nullptr, 16);
      ASSERT_EQ(stored[1 + i], byte) << block << " " << i;
    }
  }
  for (const auto& [name, values] : fixture["decoded_rows"].items()) {
    const int64_t row = std::stoll(name);
    std::vector<float> decoded(kColumns);
    dequantise_matrix_row(DType::nf4, data.data() + row * kNf4BlockBytes, scales.data(), row, kColumns, 0,
                          decoded);
    for (int64_t i = 0; i < kColumns; ++i) EXPECT_NEAR(decoded[i], values[i].get<double>(), 1e-8);
  }
  EXPECT_THROW(dequantise_row(DType::nf4, data.data(), largest), Error);
}

TEST(Nf4, KeepsZerosAndRefusesWhatIsNotFinite) {
  std::vector<float> matrix(128, 0.0F), scales(nf4_scale_count(1, 128)), largest(2), decoded(128);
  std::vector<std::byte> data(row_bytes(DType::nf4, 128));
  matrix[64] = 3;
  auto quantise = [&] {
    quantise_nf4(
        1, 128, [&](int64_t, std::span<float> out) { std::copy(matrix.begin(), matrix.end(), out.begin()); },
        largest, data.data(), scales.data());
  };
  quantise();
  dequantise_nf4(data.data(), 0, scales.data(), decoded);
  EXPECT_FLOAT_EQ(decoded[64], 3);
  for (int i = 0; i < 128; ++i) {
    EXPECT_EQ(decoded[i], i == 64 ? decoded[64] : 0) << i;
  }
  matrix[5] = NAN;
  EXPECT_THROW(quantise(), Error);
}

}  // namespace
}  // namespace r1
