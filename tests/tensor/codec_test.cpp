#include "tensor/codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tensor/integer_blocks.h"

namespace r1 {
namespace {

std::vector<std::byte> read_fixture(const std::string& name) {
  const std::string path = std::string(R1_TEST_FIXTURES) + "/quant-blocks/" + name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::vector<DType> fixture_types() {
  std::vector<DType> types = {DType::bf16};
  for (int i = 0; i < kDTypeCount; ++i) {
    if (is_quantised(static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  }
  return types;
}

class CodecFixture : public testing::TestWithParam<DType> {};

TEST_P(CodecFixture, DecodesBitExactly) {
  const std::string type(name(GetParam()));
  const std::vector<std::byte> blocks = read_fixture(type + ".blocks");
  const std::vector<std::byte> expected = read_fixture(type + ".f32");
  std::vector<float> values(expected.size() / sizeof(float));
  ASSERT_EQ(row_bytes(GetParam(), static_cast<int64_t>(values.size())), blocks.size());
  ASSERT_FALSE(values.empty());
  dequantise_row(GetParam(), blocks.data(), values);
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, expected.data() + 4 * i, 4);
    ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), bits) << type << " element " << i;
  }
}

TEST_P(CodecFixture, IntegerFormKeepsItsPromises) {
  const DType dtype = GetParam();
  if (!is_quantised(dtype)) GTEST_SKIP() << "not a block type";
  const DTypeInfo& type = info(dtype);
  const IntegerForm form = integer_form(dtype);
  const std::vector<std::byte> blocks = read_fixture(std::string(type.name) + ".blocks");
  bool any_minimum = false;
  for (size_t at = 0; at < blocks.size(); at += type.block_bytes) {
    int8_t q[256];
    float scales[16];
    float minimums[16];
    decode_integer_block(dtype, blocks.data() + at, q, scales, minimums);
    for (int i = 0; i < type.block_elements; ++i) {
      ASSERT_LE(std::abs(q[i]), form.largest);
      const int first = i / form.group * form.group / 16;  // first group of 16 that shares this one's scale
      ASSERT_EQ(scales[i / 16], scales[first]);
      ASSERT_EQ(minimums[i / 16], minimums[first]);
      any_minimum |= minimums[i / 16] != 0;
    }
  }
  EXPECT_EQ(any_minimum, form.has_minimums);
}

/// Whatever the bytes are (hostile files), decoding stays inside its tables: sanitizers watch.
TEST_P(CodecFixture, AnyBytesDecode) {
  const DTypeInfo& type = info(GetParam());
  std::vector<std::byte> bytes(64 * static_cast<size_t>(type.block_bytes));
  for (int seed = 0; seed < 4; ++seed) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = seed == 0 ? std::byte{0xff} : static_cast<std::byte>(random_bits(seed, i));
    }
    std::vector<float> values(64 * static_cast<size_t>(type.block_elements));
    dequantise_row(GetParam(), bytes.data(), values);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, CodecFixture, testing::ValuesIn(fixture_types()),
                         [](const auto& parameter) { return std::string(name(parameter.param)); });

TEST(Codec, PlainFloats) {
  const auto decode = [](DType dtype, const void* bytes, size_t count) {
    std::vector<float> values(count);
    dequantise_row(dtype, static_cast<const std::byte*>(bytes), values);
    return values;
  };
  const float f32[] = {1.5F, -0.0F, 3e38F};
  EXPECT_EQ(decode(DType::f32, f32, 3), (std::vector<float>{1.5F, -0.0F, 3e38F}));
  const double f64[] = {1.0 / 3, -2};
  EXPECT_EQ(decode(DType::f64, f64, 2), (std::vector<float>{1.0F / 3, -2}));
  const uint16_t f16[] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff};
  EXPECT_EQ(decode(DType::f16, f16, 5), (std::vector<float>{1, -2, 65504, 0x1p-24F, 1023 * 0x1p-24F}));
  const uint8_t f8[] = {0x38, 0xb8, 0x7e, 0x01, 0x08};  // 1, -1, largest 448, least subnormal, least normal
  EXPECT_EQ(decode(DType::f8_e4m3, f8, 5), (std::vector<float>{1, -1, 448, 0x1p-9F, 0x1p-6F}));
}

TEST(Codec, RefusesWhatItCannotDecode) {
  std::vector<std::byte> bytes(1024);
  std::vector<float> values(33);
  EXPECT_THROW(dequantise_row(DType::q4_0, bytes.data(), values), Error);
  EXPECT_THROW(dequantise_row(DType::i32, bytes.data(), std::span(values).first(4)), Error);
  EXPECT_THROW(integer_decoder(DType::f16), Error);
  EXPECT_THROW(integer_form(DType::i8), Error);
}

}  // namespace
}  // namespace r1
