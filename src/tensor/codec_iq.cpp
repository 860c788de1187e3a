// Decoders of the IQ types: runs of 8 (IQ3: 4) weights are points of a fixed lattice with signs. Layouts:
// tensor/blocks.h; lattice points: tensor/iq_codes.h.
#include <array>
#include <bit>

#include "tensor/codec_blocks.h"
#include "tensor/float_formats.h"
#include "tensor/integer_blocks.h"
#include "tensor/iq_codes.h"

namespace r1::codec {
namespace {

template <int kDimensions>
struct Point {
  int8_t values[kDimensions];
};

template <int kDimensions, int kBits, size_t kCount>
constexpr auto unpack_points(const std::array<uint16_t, kCount>& codes,
                             const std::array<int8_t, size_t{1} << kBits>& magnitudes) {
  std::array<Point<kDimensions>, kCount> points{};
  for (size_t i = 0; i < kCount; ++i) {
    for (int j = 0; j < kDimensions; ++j) {
      points[i].values[j] = magnitudes[(codes[i] >> (kBits * j)) & ((1 << kBits) - 1)];
    }
  }
  return points;
}

// The fourth magnitude of the two-bit lattices does not occur.
constexpr std::array<int8_t, 4> kMagnitudes2 = {8, 25, 43, 0};
constexpr auto kIq2Xxs = unpack_points<8, 2>(iq::kIq2XxsCodes, kMagnitudes2);
constexpr auto kIq2Xs = unpack_points<8, 2>(iq::kIq2XsCodes, kMagnitudes2);
constexpr auto kIq2S = unpack_points<8, 2>(iq::kIq2SCodes, kMagnitudes2);
constexpr auto kIq3Xxs = unpack_points<4, 3>(iq::kIq3XxsCodes, {4, 12, 20, 28, 36, 44, 52, 62});
constexpr auto kIq3S = unpack_points<4, 3>(iq::kIq3SCodes, {1, 3, 5, 7, 9, 11, 13, 15});
/// IQ1's points are −1, 0, 1; they are kept eightfold, so that the shift of 1/8 is a whole number.
constexpr auto kIq1SEightfold = unpack_points<8, 2>(iq::kIq1SCodes, {-8, 0, 8, 0});

/// Seven stored sign bits stand for eight with an even number of ones.
uint8_t signs_of_seven(uint32_t seven) {
  seven &= 127;
  return static_cast<uint8_t>(seven | ((std::popcount(seven) & 1U) << 7));
}

template <int kDimensions>
void put_point(const Point<kDimensions>& point, int signs, int8_t* q) {
  for (int j = 0; j < kDimensions; ++j) {
    q[j] = static_cast<int8_t>((signs >> j) & 1 ? -point.values[j] : point.values[j]);
  }
}

void put_shifted(const Point<8>& eightfold, bool negative, int8_t* q) {
  for (int j = 0; j < 8; ++j) q[j] = static_cast<int8_t>(eightfold.values[j] + (negative ? -1 : 1));
}

uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

/// The order of these products is part of the reference's bits.
float half_step_scale(float d, int scale, float factor) {
  return d * (0.5F + static_cast<float>(scale)) * factor;
}

float odd_scale(float d, int scale) {
  return d * static_cast<float>(1 + 2 * scale);
}

}  // namespace

void decode_iq2_xxs(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ2XXS>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 8; ++i) {
    const uint8_t* codes = block.codes + 8 * i;
    const uint32_t signs_and_scale = load_u32(codes + 4);
    for (int l = 0; l < 4; ++l) {
      put_point(kIq2Xxs[codes[l]], signs_of_seven(signs_and_scale >> (7 * l)), q + 32 * i + 8 * l);
    }
    scales[2 * i] = scales[2 * i + 1] = half_step_scale(d, static_cast<int>(signs_and_scale >> 28), 0.25F);
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq2_xs(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ2XS>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 32; ++i) {
    put_point(kIq2Xs[block.codes[i] & 511], signs_of_seven(block.codes[i] >> 9), q + 8 * i);
  }
  for (int i = 0; i < 8; ++i) {
    scales[2 * i] = half_step_scale(d, block.scales[i] & 15, 0.25F);
    scales[2 * i + 1] = half_step_scale(d, block.scales[i] >> 4, 0.25F);
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq2_s(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ2S>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 32; ++i) {
    const int high = (block.high_codes[i / 4] >> (2 * (i % 4))) & 3;
    put_point(kIq2S[block.codes[i] | (high << 8)], block.signs[i], q + 8 * i);
  }
  for (int i = 0; i < 8; ++i) {
    scales[2 * i] = half_step_scale(d, block.scales[i] & 15, 0.25F);
    scales[2 * i + 1] = half_step_scale(d, block.scales[i] >> 4, 0.25F);
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq3_xxs(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ3XXS>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 8; ++i) {
    const uint32_t signs_and_scale = load_u32(block.signs_and_scale + 4 * i);
    for (int l = 0; l < 4; ++l) {
      const uint8_t signs = signs_of_seven(signs_and_scale >> (7 * l));
      const uint8_t* codes = block.codes + 8 * i + 2 * l;
      int8_t* at = q + 32 * i + 8 * l;
      put_point(kIq3Xxs[codes[0]], signs, at);
      put_point(kIq3Xxs[codes[1]], signs >> 4, at + 4);
    }
    scales[2 * i] = scales[2 * i + 1] = half_step_scale(d, static_cast<int>(signs_and_scale >> 28), 0.5F);
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq3_s(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ3S>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 64; ++i) {
    const int high = (block.high_codes[i / 8] >> (i % 8)) & 1;
    put_point(kIq3S[block.codes[i] | (high << 8)], block.signs[i / 2] >> (4 * (i % 2)), q + 4 * i);
  }
  for (int i = 0; i < 8; ++i) {
    const int scale = (block.scales[i / 2] >> (4 * (i % 2))) & 15;
    scales[2 * i] = scales[2 * i + 1] = odd_scale(d, scale);
  }
  std::fill_n(minimums, 16, 0.0F);
}

// IQ1: w = dl · (point ± 1/8) = (dl / 8) · (8 · point ± 1); dividing by 8 is exact, so the bits agree.

void decode_iq1_s(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ1S>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 8; ++i) {
    const int high = block.high[i];
    for (int l = 0; l < 4; ++l) {
      const int code = block.codes[4 * i + l] | (((high >> (3 * l)) & 7) << 8);
      put_shifted(kIq1SEightfold[code], (high & 0x8000) != 0, q + 32 * i + 8 * l);
    }
    scales[2 * i] = scales[2 * i + 1] = odd_scale(d, (high >> 12) & 7) * 0.125F;
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq1_m(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ1M>(source);
  const uint16_t* packed = block.scales;
  const auto d_bits = static_cast<uint16_t>((packed[0] >> 12) | ((packed[1] >> 8) & 0x00f0) |
                                            ((packed[2] >> 4) & 0x0f00) | (packed[3] & 0xf000));
  const float d = f32_from_f16(d_bits);
  for (int i = 0; i < 32; ++i) {
    const int high = block.high[i / 2] >> (4 * (i % 2));
    put_shifted(kIq1SEightfold[block.codes[i] | ((high & 7) << 8)], (high & 8) != 0, q + 8 * i);
  }
  for (int i = 0; i < 16; ++i) {
    scales[i] = odd_scale(d, (packed[i / 4] >> (3 * (i % 4))) & 7) * 0.125F;
  }
  std::fill_n(minimums, 16, 0.0F);
}

void decode_iq4_nl(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ4NL>(source);
  for (int j = 0; j < 16; ++j) {
    q[j] = kIq4Values[block.nibbles[j] & 15];
    q[j + 16] = kIq4Values[block.nibbles[j] >> 4];
  }
  std::fill_n(scales, 2, f32_from_f16(block.d));
  std::fill_n(minimums, 2, 0.0F);
}

void decode_iq4_xs(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockIQ4XS>(source);
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 8; ++i) {
    const int low = (block.scales[i / 2] >> (4 * (i % 2))) & 15;
    const int high = (block.high_scales >> (2 * i)) & 3;
    scales[2 * i] = scales[2 * i + 1] = d * static_cast<float>((low | (high << 4)) - 32);
    const uint8_t* nibbles = block.nibbles + 16 * i;
    for (int j = 0; j < 16; ++j) {
      q[32 * i + j] = kIq4Values[nibbles[j] & 15];
      q[32 * i + j + 16] = kIq4Values[nibbles[j] >> 4];
    }
  }
  std::fill_n(minimums, 16, 0.0F);
}

}  // namespace r1::codec
