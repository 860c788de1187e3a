// The common quantised types decoded to float32 over lanes, row by row: the bits of dequantise_row, faster.
// (cpu/unpack.inc.h works on 16 rows at once, for integer products; layouts: tensor/blocks.h.) A weight is
// q · scale − minimum, where every product is exact: so one fused multiply-add gives the same bits.

inline F32x16 broadcast_f16(const void* p) {
  uint16_t half;
  __builtin_memcpy(&half, p, 2);
  return float_from_low_half(broadcast(int32_t{half}));
}

/// The bits of `mask`, moved from bit kFrom to bit kTo.
template <int kFrom, int kTo>
inline I32x16 move_bits(I32x16 a, int32_t mask) {
  if constexpr (kFrom > kTo) {
    return shift_right<kFrom - kTo>(a) & broadcast(mask);
  } else {
    return shift_left<kTo - kFrom>(a) & broadcast(mask);
  }
}

inline void decode_q8_0(const uint8_t* block, float* out) {
  const F32x16 scale = broadcast_f16(block);
  const auto* q = reinterpret_cast<const int8_t*>(block + 2);
  store(out, to_float(load_i8(q)) * scale);
  store(out + 16, to_float(load_i8(q + 16)) * scale);
}

inline void decode_q4_0(const uint8_t* block, float* out) {
  const F32x16 scale = broadcast_f16(block);
  const I32x16 bytes = load_u8(block + 2);
  const I32x16 eight = broadcast(8);
  store(out, to_float((bytes & broadcast(15)) - eight) * scale);
  store(out + 16, to_float(shift_right<4>(bytes) - eight) * scale);
}

/// Weights 32·kPart … + 31 of a half of Q2_K or Q3_K.
template <int kPart>
inline void decode_crumbs_q2_k(const uint8_t* crumbs, const float* scales, const float* minimums,
                               float* out) {
  for (int i = 0; i < 2; i++) {
    const I32x16 q = move_bits<2 * kPart, 0>(load_u8(crumbs + 16 * i), 3);
    store(out + 32 * kPart + 16 * i,
          fma(to_float(q), broadcast(scales[2 * kPart + i]), broadcast(minimums[2 * kPart + i])));
  }
}

inline void decode_q2_k(const uint8_t* block, float* out) {
  alignas(64) float scales[16];
  alignas(64) float minimums[16];  // negative
  const I32x16 small = load_u8(block);
  store(scales, to_float(small & broadcast(15)) * broadcast_f16(block + 80));
  store(minimums, to_float(shift_right<4>(small)) * (broadcast(0.0F) - broadcast_f16(block + 82)));
  for (int half = 0; half < 2; half++) {
    const uint8_t* crumbs = block + 16 + 32 * half;
    const float* s = scales + 8 * half;
    const float* m = minimums + 8 * half;
    float* to = out + 128 * half;
    decode_crumbs_q2_k<0>(crumbs, s, m, to);
    decode_crumbs_q2_k<1>(crumbs, s, m, to);
    decode_crumbs_q2_k<2>(crumbs, s, m, to);
    decode_crumbs_q2_k<3>(crumbs, s, m, to);
  }
}

/// Weights 32·kPart … + 31 of half kHalf.
template <int kHalf, int kPart>
inline void decode_part_q3_k(const uint8_t* block, const float* scales, float* out) {
  for (int i = 0; i < 2; i++) {
    const I32x16 low = move_bits<2 * kPart, 0>(load_u8(block + 32 + 32 * kHalf + 16 * i), 3);
    const I32x16 high = move_bits<4 * kHalf + kPart, 2>(load_u8(block + 16 * i), 4);
    const int group = 8 * kHalf + 2 * kPart + i;
    store(out + 16 * group, to_float((low | high) - broadcast(4)) * broadcast(scales[group]));
  }
}

inline void decode_q3_k(const uint8_t* block, float* out) {
  uint64_t low;
  uint32_t high;
  __builtin_memcpy(&low, block + 96, 8);
  __builtin_memcpy(&high, block + 104, 4);
  constexpr uint64_t kNibbles = 0x0f0f0f0f0f0f0f0f;
  const auto top = [high](int shift) { return uint64_t{(high >> shift & 0x03030303U) << 4U}; };
  const uint64_t packed[2] = {(low & kNibbles) | top(0) | top(2) << 32U,
                              (low >> 4U & kNibbles) | top(4) | top(6) << 32U};
  uint8_t bytes[16];
  __builtin_memcpy(bytes, packed, 16);
  alignas(64) float scales[16];
  store(scales, to_float(load_u8(bytes) - broadcast(32)) * broadcast_f16(block + 108));
  decode_part_q3_k<0, 0>(block, scales, out);
  decode_part_q3_k<0, 1>(block, scales, out);
  decode_part_q3_k<0, 2>(block, scales, out);
  decode_part_q3_k<0, 3>(block, scales, out);
  decode_part_q3_k<1, 0>(block, scales, out);
  decode_part_q3_k<1, 1>(block, scales, out);
  decode_part_q3_k<1, 2>(block, scales, out);
  decode_part_q3_k<1, 3>(block, scales, out);
}

/// The 8 scales, then the 8 minimums (negative) of Q4_K and Q5_K. `block` begins with d, dmin and 12 bytes.
inline void decode_scales_k4(const uint8_t* block, float* factors) {
  uint32_t a;
  uint32_t b;
  uint32_t c;
  __builtin_memcpy(&a, block + 4, 4);
  __builtin_memcpy(&b, block + 8, 4);
  __builtin_memcpy(&c, block + 12, 4);
  constexpr uint32_t kLow6 = 0x3f3f3f3f, kLow4 = 0x0f0f0f0f, kLow2 = 0x03030303;
  const uint32_t packed[4] = {a & kLow6, (c & kLow4) | (a >> 6U & kLow2) << 4U, b & kLow6,
                              (c >> 4U & kLow4) | (b >> 6U & kLow2) << 4U};
  uint8_t bytes[16];
  __builtin_memcpy(bytes, packed, 16);
  const F32x16 small = to_float(load_u8(bytes));
  alignas(64) float minimums[16];
  store(factors, small * broadcast_f16(block));
  store(minimums, small * (broadcast(0.0F) - broadcast_f16(block + 2)));
  __builtin_memcpy(factors + 8, minimums + 8, 8 * sizeof(float));
}

inline void decode_q4_k(const uint8_t* block, float* out) {
  alignas(64) float factors[16];
  decode_scales_k4(block, factors);
  const uint8_t* nibbles = block + 16;
  for (int run = 0; run < 4; run++, nibbles += 32, out += 64) {
    for (int i = 0; i < 2; i++) {
      const I32x16 bytes = load_u8(nibbles + 16 * i);
      const F32x16 low = to_float(bytes & broadcast(15));
      const F32x16 high = to_float(shift_right<4>(bytes));
      store(out + 16 * i, fma(low, broadcast(factors[2 * run]), broadcast(factors[8 + 2 * run])));
      store(out + 32 + 16 * i, fma(high, broadcast(factors[2 * run + 1]), broadcast(factors[9 + 2 * run])));
    }
  }
}

template <int kRun>
inline void decode_run_q5_k(const uint8_t* block, const float* factors, float* out) {
  for (int i = 0; i < 2; i++) {
    const I32x16 bytes = load_u8(block + 48 + 32 * kRun + 16 * i);
    const I32x16 fifth = load_u8(block + 16 + 16 * i);
    const I32x16 low = (bytes & broadcast(15)) | move_bits<2 * kRun, 4>(fifth, 16);
    const I32x16 high = shift_right<4>(bytes) | move_bits<2 * kRun + 1, 4>(fifth, 16);
    float* to = out + 64 * kRun + 16 * i;
    store(to, fma(to_float(low), broadcast(factors[2 * kRun]), broadcast(factors[8 + 2 * kRun])));
    store(to + 32, fma(to_float(high), broadcast(factors[2 * kRun + 1]), broadcast(factors[9 + 2 * kRun])));
  }
}

inline void decode_q5_k(const uint8_t* block, float* out) {
  alignas(64) float factors[16];
  decode_scales_k4(block, factors);
  decode_run_q5_k<0>(block, factors, out);
  decode_run_q5_k<1>(block, factors, out);
  decode_run_q5_k<2>(block, factors, out);
  decode_run_q5_k<3>(block, factors, out);
}

inline void decode_q6_k(const uint8_t* block, float* out) {
  alignas(64) float scales[16];
  store(scales, to_float(load_i8(reinterpret_cast<const int8_t*>(block + 192))) * broadcast_f16(block + 208));
  const I32x16 offset = broadcast(32);
  const I32x16 nibble = broadcast(15);
  for (int half = 0; half < 2; half++) {
    const uint8_t* nibbles = block + 64 * half;
    const float* s = scales + 8 * half;
    for (int i = 0; i < 2; i++) {
      const I32x16 top = load_u8(block + 128 + 32 * half + 16 * i);
      const I32x16 first = load_u8(nibbles + 16 * i);
      const I32x16 second = load_u8(nibbles + 32 + 16 * i);
      float* to = out + 128 * half + 16 * i;
      const auto put = [&](int part, I32x16 low, I32x16 high) {
        store(to + 32 * part, to_float((low | high) - offset) * broadcast(s[2 * part + i]));
      };
      put(0, first & nibble, move_bits<0, 4>(top, 48));
      put(1, second & nibble, move_bits<2, 4>(top, 48));
      put(2, shift_right<4>(first), move_bits<4, 4>(top, 48));
      put(3, shift_right<4>(second), move_bits<6, 4>(top, 48));
    }
  }
}

/// Columns [begin, begin + count) of a row, whole blocks. False: not a type decoded here.
inline bool decode_blocks(DType dtype, const std::byte* row, int64_t begin, int64_t count, float* out) {
  const auto each = [&](int64_t block_columns, int64_t block_bytes, auto decode) {
    const auto* block = reinterpret_cast<const uint8_t*>(row) + begin / block_columns * block_bytes;
    for (int64_t c = 0; c < count; c += block_columns, block += block_bytes) decode(block, out + c);
    return true;
  };
  switch (dtype) {
    case DType::q4_0:
      return each(32, 18, decode_q4_0);
    case DType::q8_0:
      return each(32, 34, decode_q8_0);
    case DType::q2_k:
      return each(256, 84, decode_q2_k);
    case DType::q3_k:
      return each(256, 110, decode_q3_k);
    case DType::q4_k:
      return each(256, 144, decode_q4_k);
    case DType::q5_k:
      return each(256, 176, decode_q5_k);
    case DType::q6_k:
      return each(256, 210, decode_q6_k);
    default:
      return false;
  }
}
