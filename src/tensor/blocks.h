// The bytes of GGML's quantised blocks, field by field (source: the block structs of ggml's ggml-common.h).
// Little-endian, no padding. Copy a block into its struct with load_block(): file bytes need no alignment.
//
// Notation: d, dmin are binary16 factors; "sub-block" is a run of 16 or 32 weights with its own small scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace r1 {

/// w = d · (q − 8). Byte j holds weight j (low nibble) and weight j + 16 (high), here and in Q4_1, IQ4_NL.
struct BlockQ4_0 {
  uint16_t d;
  uint8_t nibbles[16];
};

/// w = d · q + m.
struct BlockQ4_1 {
  uint16_t d;
  uint16_t m;
  uint8_t nibbles[16];
};

/// w = d · (q − 16); bit j of high_bits is the fifth bit of weight j.
struct BlockQ5_0 {
  uint16_t d;
  uint8_t high_bits[4];
  uint8_t nibbles[16];
};

/// w = d · q + m.
struct BlockQ5_1 {
  uint16_t d;
  uint16_t m;
  uint8_t high_bits[4];
  uint8_t nibbles[16];
};

/// w = d · q.
struct BlockQ8_0 {
  uint16_t d;
  int8_t q[32];
};

/// 16 sub-blocks of 16: w = d · (s & 15) · q − dmin · (s >> 4), q in 0 … 3. Each half of 128 weights has 32
/// bytes; byte l of a half holds its weights l, l + 32, l + 64, l + 96 (lowest bits first).
struct BlockQ2K {
  uint8_t scales[16];
  uint8_t crumbs[64];
  uint16_t d;
  uint16_t dmin;
};

/// 16 sub-blocks of 16: w = d · (s − 32) · (q − 4), q in 0 … 7. Low two bits as in Q2_K; bit k of
/// high_bits[l] is the third bit of weight 32·k + l. Scales have 6 bits: see unpack_scales_q3k().
struct BlockQ3K {
  uint8_t high_bits[32];
  uint8_t crumbs[64];
  uint8_t scales[12];
  uint16_t d;
};

/// 8 sub-blocks of 32: w = d · s · q − dmin · m, q in 0 … 15; s and m have 6 bits: see scale_min_k4().
/// Each run of 64 weights has 32 bytes: weights l (low nibble) and l + 32 (high).
struct BlockQ4K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t nibbles[128];
};

/// As Q4_K with a fifth bit: bit k of high_bits[l] belongs to weight 32·k + l.
struct BlockQ5K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t high_bits[32];
  uint8_t nibbles[128];
};

/// 16 sub-blocks of 16: w = d · s · (q − 32), q in 0 … 63, s signed. For each half of 128 weights: 64 bytes
/// of low nibbles (byte l: weights l and l + 64) and 32 bytes of high bits (byte l: weights l, l+32, l+64,
/// l+96).
struct BlockQ6K {
  uint8_t nibbles[128];
  uint8_t high_crumbs[64];
  int8_t scales[16];
  uint16_t d;
};

struct BlockIQ2XXS {
  uint16_t d;
  uint8_t codes[64];  // each 32 weights: 4 bytes of lattice indexes, then 4 × 7 sign bits and a 4-bit scale
};

struct BlockIQ2XS {
  uint16_t d;
  uint16_t codes[32];  // 9 bits of lattice index, 7 of signs; one for 8 weights
  uint8_t scales[8];   // two 4-bit scales, each for 16 weights
};

struct BlockIQ2S {
  uint16_t d;
  uint8_t codes[32];      // low 8 bits of the lattice index, one for 8 weights
  uint8_t signs[32];      // one bit a weight
  uint8_t high_codes[8];  // 2 more bits of index for each of 4 codes
  uint8_t scales[8];      // as IQ2_XS
};

struct BlockIQ3XXS {
  uint16_t d;
  uint8_t codes[64];            // lattice index, one for 4 weights
  uint8_t signs_and_scale[32];  // each 32 weights: 4 × 7 sign bits and a 4-bit scale
};

struct BlockIQ3S {
  uint16_t d;
  uint8_t codes[64];
  uint8_t high_codes[8];  // ninth bit of index for each of 8 codes
  uint8_t signs[32];      // one bit a weight
  uint8_t scales[4];      // two 4-bit scales, each for 32 weights
};

struct BlockIQ1S {
  uint16_t d;
  uint8_t codes[32];  // low 8 bits of the lattice index, one for 8 weights
  uint16_t high[8];   // each 32 weights: 4 × 3 bits of index, 3-bit scale, sign of the shift
};

struct BlockIQ1M {
  uint8_t codes[32];
  uint8_t high[16];    // each nibble: 3 bits of index and the sign of the shift, for 8 weights
  uint16_t scales[4];  // each 4 × 3-bit scales (16 weights) and in the top nibbles, put together, d
};

/// w = d · value[q] with the 16 values of kIq4Values.
struct BlockIQ4NL {
  uint16_t d;
  uint8_t nibbles[16];
};

/// 8 sub-blocks of 32: w = d · (s − 32) · value[q]; s has 4 low bits and 2 high ones.
struct BlockIQ4XS {
  uint16_t d;
  uint16_t high_scales;
  uint8_t scales[4];
  uint8_t nibbles[128];
};

/// w = d · (q − 1), q in 0 … 2; five (in `tail` four) base-3 digits a byte, stored as a fraction of 256.
struct BlockTQ1_0 {
  uint8_t digits[48];
  uint8_t tail[4];
  uint16_t d;
};

/// w = d · (q − 1), q in 0 … 3; layout of the crumbs as in Q2_K.
struct BlockTQ2_0 {
  uint8_t crumbs[64];
  uint16_t d;
};

/// A copy of the block at `source`.
template <typename Block>
inline Block load_block(const std::byte* source) {
  Block block;
  std::memcpy(&block, source, sizeof(Block));
  return block;
}

}  // namespace r1
