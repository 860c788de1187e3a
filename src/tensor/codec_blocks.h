// Inner header of src/tensor/codec*.cpp: the decoders and encoders of the single types.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tensor/blocks.h"

namespace r1::codec {

// Decoders: see IntegerDecoder in tensor/integer_blocks.h.
void decode_q4_0(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q4_1(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q5_0(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q5_1(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q8_0(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q2_k(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q3_k(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q4_k(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q5_k(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_q6_k(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq1_s(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq1_m(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq2_xxs(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq2_xs(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq2_s(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq3_xxs(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq3_s(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq4_nl(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_iq4_xs(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_tq1_0(const std::byte* block, int8_t* q, float* scales, float* minimums);
void decode_tq2_0(const std::byte* block, int8_t* q, float* scales, float* minimums);

/// The 6-bit scale and minimum of sub-block `index` (0 … 7) of Q4_K and Q5_K. The first four lie in the low
/// bits of bytes 0–3 and 4–7; of the last four, bytes 8–11 hold low nibbles and bytes 0–7 the top two bits.
struct ScaleMin {
  uint8_t scale;
  uint8_t minimum;
};
inline ScaleMin scale_min_k4(const uint8_t scales[12], int index) {
  const int i = index;
  if (i < 4) {
    return {static_cast<uint8_t>(scales[i] & 63), static_cast<uint8_t>(scales[i + 4] & 63)};
  }
  return {static_cast<uint8_t>((scales[i + 4] & 15) | ((scales[i - 4] >> 6) << 4)),
          static_cast<uint8_t>((scales[i + 4] >> 4) | ((scales[i] >> 6) << 4))};
}

/// The 16 six-bit scales of Q3_K: bytes 0–7 hold low nibbles of scales 0–7 (low) and 8–15 (high); byte 8 + i
/// holds the top two bits of scales i, i + 4, i + 8, i + 12.
inline void unpack_scales_q3k(const uint8_t packed[12], int scales[16]) {
  for (int i = 0; i < 16; ++i) {
    const int low = (packed[i % 8] >> (4 * (i / 8))) & 15;
    const int high = (packed[8 + i % 4] >> (2 * (i / 4))) & 3;
    scales[i] = low | (high << 4);
  }
}

}  // namespace r1::codec
