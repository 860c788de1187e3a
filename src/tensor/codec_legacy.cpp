// Decoders of the block types with 32 weights and of the ternary types. Layouts: tensor/blocks.h.
#include "tensor/codec_blocks.h"
#include "tensor/float_formats.h"

namespace r1::codec {
namespace {

void fill(float* values, int count, float value) {
  std::fill_n(values, count, value);
}

void unpack_nibbles(const uint8_t* nibbles, int8_t* q) {
  for (int j = 0; j < 16; ++j) {
    q[j] = static_cast<int8_t>(nibbles[j] & 15);
    q[j + 16] = static_cast<int8_t>(nibbles[j] >> 4);
  }
}

/// Five-bit values from nibbles and a bit each, less `offset`.
void unpack_five_bits(const uint8_t* nibbles, const uint8_t* high_bits, int offset, int8_t* q) {
  unpack_nibbles(nibbles, q);
  for (int j = 0; j < 32; ++j) {
    const int high = (high_bits[j / 8] >> (j % 8)) & 1;
    q[j] = static_cast<int8_t>(q[j] + 16 * high - offset);
  }
}

}  // namespace

void decode_q4_0(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ4_0>(source);
  unpack_nibbles(block.nibbles, q);
  for (int j = 0; j < 32; ++j) q[j] = static_cast<int8_t>(q[j] - 8);
  fill(scales, 2, f32_from_f16(block.d));
  fill(minimums, 2, 0);
}

void decode_q4_1(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ4_1>(source);
  unpack_nibbles(block.nibbles, q);
  fill(scales, 2, f32_from_f16(block.d));
  fill(minimums, 2, -f32_from_f16(block.m));
}

void decode_q5_0(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ5_0>(source);
  unpack_five_bits(block.nibbles, block.high_bits, 16, q);
  fill(scales, 2, f32_from_f16(block.d));
  fill(minimums, 2, 0);
}

void decode_q5_1(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ5_1>(source);
  unpack_five_bits(block.nibbles, block.high_bits, 0, q);
  fill(scales, 2, f32_from_f16(block.d));
  fill(minimums, 2, -f32_from_f16(block.m));
}

void decode_q8_0(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ8_0>(source);
  std::memcpy(q, block.q, 32);
  fill(scales, 2, f32_from_f16(block.d));
  fill(minimums, 2, 0);
}

void decode_tq1_0(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockTQ1_0>(source);
  // A byte holds b = ceil(256 · 0.d1d2d3d4d5 in base 3): times 3^n, kept to 8 bits, the next digit is the
  // whole part of three times that.
  const auto digit = [](uint8_t byte, int power) {
    const auto shifted = static_cast<uint8_t>(byte * power);
    return static_cast<int8_t>(((shifted * 3) >> 8) - 1);
  };
  constexpr int kPowers[5] = {1, 3, 9, 27, 81};
  for (int power : kPowers) {
    for (int j = 0; j < 32; ++j) *q++ = digit(block.digits[j], power);
  }
  for (int power : kPowers) {
    for (int j = 32; j < 48; ++j) *q++ = digit(block.digits[j], power);
  }
  for (int n = 0; n < 4; ++n) {
    for (uint8_t byte : block.tail) *q++ = digit(byte, kPowers[n]);
  }
  fill(scales, 16, f32_from_f16(block.d));
  fill(minimums, 16, 0);
}

void decode_tq2_0(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockTQ2_0>(source);
  for (int half = 0; half < 2; ++half) {
    for (int part = 0; part < 4; ++part) {
      for (int l = 0; l < 32; ++l) {
        *q++ = static_cast<int8_t>(((block.crumbs[32 * half + l] >> (2 * part)) & 3) - 1);
      }
    }
  }
  fill(scales, 16, f32_from_f16(block.d));
  fill(minimums, 16, 0);
}

}  // namespace r1::codec
