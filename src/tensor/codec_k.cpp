// Decoders of the K types (256 weights, two levels of scales). Layouts: tensor/blocks.h.
#include "tensor/codec_blocks.h"
#include "tensor/float_formats.h"

namespace r1::codec {

void decode_q2_k(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ2K>(source);
  for (int half = 0; half < 2; ++half) {
    for (int part = 0; part < 4; ++part) {
      for (int l = 0; l < 32; ++l) {
        *q++ = static_cast<int8_t>((block.crumbs[32 * half + l] >> (2 * part)) & 3);
      }
    }
  }
  const float d = f32_from_f16(block.d);
  const float dmin = f32_from_f16(block.dmin);
  for (int i = 0; i < 16; ++i) {
    scales[i] = d * static_cast<float>(block.scales[i] & 15);
    minimums[i] = dmin * static_cast<float>(block.scales[i] >> 4);
  }
}

void decode_q3_k(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ3K>(source);
  for (int half = 0; half < 2; ++half) {
    for (int part = 0; part < 4; ++part) {
      for (int l = 0; l < 32; ++l) {
        const int low = (block.crumbs[32 * half + l] >> (2 * part)) & 3;
        const int high = (block.high_bits[l] >> (4 * half + part)) & 1;
        *q++ = static_cast<int8_t>(low + 4 * high - 4);
      }
    }
  }
  const float d = f32_from_f16(block.d);
  int unpacked[16];
  unpack_scales_q3k(block.scales, unpacked);
  for (int i = 0; i < 16; ++i) {
    scales[i] = d * static_cast<float>(unpacked[i] - 32);
    minimums[i] = 0;
  }
}

namespace {

void scales_k4(uint16_t d_bits, uint16_t dmin_bits, const uint8_t packed[12], float* scales,
               float* minimums) {
  const float d = f32_from_f16(d_bits);
  const float dmin = f32_from_f16(dmin_bits);
  for (int i = 0; i < 8; ++i) {
    const ScaleMin sub = scale_min_k4(packed, i);
    scales[2 * i] = scales[2 * i + 1] = d * static_cast<float>(sub.scale);
    minimums[2 * i] = minimums[2 * i + 1] = dmin * static_cast<float>(sub.minimum);
  }
}

}  // namespace

void decode_q4_k(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ4K>(source);
  for (int run = 0; run < 4; ++run) {
    for (int l = 0; l < 32; ++l) {
      q[64 * run + l] = static_cast<int8_t>(block.nibbles[32 * run + l] & 15);
      q[64 * run + l + 32] = static_cast<int8_t>(block.nibbles[32 * run + l] >> 4);
    }
  }
  scales_k4(block.d, block.dmin, block.scales, scales, minimums);
}

void decode_q5_k(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ5K>(source);
  for (int run = 0; run < 4; ++run) {
    for (int l = 0; l < 32; ++l) {
      const int byte = block.nibbles[32 * run + l];
      const int high = block.high_bits[l] >> (2 * run);
      q[64 * run + l] = static_cast<int8_t>((byte & 15) | ((high & 1) << 4));
      q[64 * run + l + 32] = static_cast<int8_t>((byte >> 4) | ((high & 2) << 3));
    }
  }
  scales_k4(block.d, block.dmin, block.scales, scales, minimums);
}

void decode_q6_k(const std::byte* source, int8_t* q, float* scales, float* minimums) {
  const auto block = load_block<BlockQ6K>(source);
  for (int half = 0; half < 2; ++half) {
    const uint8_t* nibbles = block.nibbles + 64 * half;
    for (int l = 0; l < 32; ++l) {
      const int high = block.high_crumbs[32 * half + l];
      int8_t* at = q + 128 * half + l;
      at[0] = static_cast<int8_t>(((nibbles[l] & 15) | ((high & 3) << 4)) - 32);
      at[32] = static_cast<int8_t>(((nibbles[l + 32] & 15) | (((high >> 2) & 3) << 4)) - 32);
      at[64] = static_cast<int8_t>(((nibbles[l] >> 4) | (((high >> 4) & 3) << 4)) - 32);
      at[96] = static_cast<int8_t>(((nibbles[l + 32] >> 4) | (((high >> 6) & 3) << 4)) - 32);
    }
  }
  const float d = f32_from_f16(block.d);
  for (int i = 0; i < 16; ++i) {
    scales[i] = d * static_cast<float>(block.scales[i]);
    minimums[i] = 0;
  }
}

}  // namespace r1::codec
