// Fast unpackers over lanes: lane i is row i of the panel. Four bytes of 16 rows go through one vector; what
// the bits of a block mean is in tensor/blocks.h, the layout of the result in panel.h.

template <typename T>
inline I32x16 splat_bytes(T byte) {
  return broadcast(static_cast<int32_t>(static_cast<uint32_t>(byte) * 0x01010101U));
}

inline void store_weights(uint8_t* p, const I32x16& a) {
  store(reinterpret_cast<int32_t*>(p), a);
}

/// Byte kIndex of each lane, as a float.
template <int kIndex>
inline F32x16 unsigned_byte(const I32x16& a) {
  return to_float(shift_right<24>(shift_left<24 - 8 * kIndex>(a)));
}
template <int kIndex>
inline F32x16 signed_byte(const I32x16& a) {
  return to_float(shift_right_signed<24>(shift_left<24 - 8 * kIndex>(a)));
}

inline void store_scale(float* factors, const F32x16& scale) {
  store(factors, scale);
  store(factors + 16, scale * broadcast(-kMagic));
}

/// Asks for the bytes of the next panel that lie where `block` of this one does, so that the next panel is in
/// the cache when its turn comes: the sixteen rows of one are a contiguous piece of the file.
inline void fetch_next(const PanelRows& rows, int64_t block, int64_t block_bytes) {
  if (rows.next == nullptr) return;
  fetch(rows.next + block * block_bytes * kOutputPanel, block_bytes * kOutputPanel);
}

template <bool kSigned>
inline void unpack_q8_0(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                        float* factors) {
  const I32x16 flip = splat_bytes(kSigned ? 0 : 0x80);
  const RowOffsets offsets = row_offsets(rows.row);
  for (int64_t b = first_block; b < first_block + blocks; b++) {
    const int64_t at = b * 34;
    fetch_next(rows, b, 34);
    store_scale(factors, float_from_low_half(gather_dwords(rows.row, offsets, at)));
    for (int half = 0; half < 2; half++) {
      I32x16 q[4];
      load_columns(rows.row, at + 2 + 16 * half, q);
      for (int i = 0; i < 4; i++) store_weights(weights + half * 256 + i * 64, q[i] ^ flip);
    }
    weights += 32 * kOutputPanel;
    factors += 32;
  }
}

inline void unpack_q4_0(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                        float* factors) {
  const I32x16 low = splat_bytes(0x0f);
  const RowOffsets offsets = row_offsets(rows.row);
  for (int64_t b = first_block; b < first_block + blocks; b++) {
    const int64_t at = b * 18;
    fetch_next(rows, b, 18);
    store_scale(factors, float_from_low_half(gather_dwords(rows.row, offsets, at)));
    I32x16 nibbles[4];
    load_columns(rows.row, at + 2, nibbles);
    for (int i = 0; i < 4; i++) {
      store_weights(weights + i * 64, nibbles[i] & low);
      store_weights(weights + 256 + i * 64, shift_right<4>(nibbles[i]) & low);
    }
    weights += 32 * kOutputPanel;
    factors += 32;
  }
}

/// Scales and minimums of Q4_K and Q5_K from the 16 bytes at the block's begin: d, dmin, 12 packed bytes.
inline void unpack_scales_k4(const I32x16 header[4], float* factors) {
  const F32x16 d = float_from_low_half(header[0]);
  const F32x16 negative_dmin = float_from_low_half(shift_right<16>(header[0])) * broadcast(-1.0F);
  const I32x16 six = splat_bytes(0x3f);
  const I32x16 four = splat_bytes(0x0f);
  const I32x16 top = splat_bytes(0x30);
  const I32x16 scales[2] = {header[1] & six, (header[3] & four) | (shift_right<2>(header[1]) & top)};
  const I32x16 minimums[2] = {header[2] & six,
                              (shift_right<4>(header[3]) & four) | (shift_right<2>(header[2]) & top)};
  for (int half = 0; half < 2; half++) {
    float* const out = factors + half * 4 * 48;
    store_scale(out, d * unsigned_byte<0>(scales[half]));
    store_scale(out + 48, d * unsigned_byte<1>(scales[half]));
    store_scale(out + 96, d * unsigned_byte<2>(scales[half]));
    store_scale(out + 144, d * unsigned_byte<3>(scales[half]));
    store(out + 32, negative_dmin * unsigned_byte<0>(minimums[half]));
    store(out + 48 + 32, negative_dmin * unsigned_byte<1>(minimums[half]));
    store(out + 96 + 32, negative_dmin * unsigned_byte<2>(minimums[half]));
    store(out + 144 + 32, negative_dmin * unsigned_byte<3>(minimums[half]));
  }
}

inline void unpack_q4_k(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                        float* factors) {
  const I32x16 low = splat_bytes(0x0f);
  for (int64_t b = first_block; b < first_block + blocks; b++) {
    const int64_t at = b * 144;
    fetch_next(rows, b, 144);
    I32x16 header[4];
    load_columns(rows.row, at, header);
    unpack_scales_k4(header, factors);
    for (int piece = 0; piece < 8; piece++) {  // 16 bytes: half of a run of 64 weights
      I32x16 nibbles[4];
      load_columns(rows.row, at + 16 + piece * 16, nibbles);
      uint8_t* const out = weights + (piece / 2 * 64 + piece % 2 * 16) * kOutputPanel;
      for (int i = 0; i < 4; i++) {
        store_weights(out + i * 64, nibbles[i] & low);
        store_weights(out + 512 + i * 64, shift_right<4>(nibbles[i]) & low);
      }
    }
    weights += 256 * kOutputPanel;
    factors += 8 * 48;
  }
}

/// Run kRun of 64 weights of Q5_K: low nibbles take bit 2·kRun of the high bits, high nibbles the next.
template <int kRun>
inline void unpack_q5_k_run(const PanelRows& rows, int64_t at, const I32x16 high[8], uint8_t* weights) {
  const I32x16 low = splat_bytes(0x0f);
  const I32x16 fifth = splat_bytes(0x10);
  for (int half = 0; half < 2; half++) {
    I32x16 nibbles[4];
    load_columns(rows.row, at + 48 + kRun * 32 + half * 16, nibbles);
    uint8_t* const out = weights + (kRun * 64 + half * 16) * kOutputPanel;
    for (int i = 0; i < 4; i++) {
      const I32x16 bits = high[half * 4 + i];
      const I32x16 first = kRun == 0   ? shift_left<4>(bits)
                           : kRun == 1 ? shift_left<2>(bits)
                           : kRun == 2 ? bits
                                       : shift_right<2>(bits);
      const I32x16 second = kRun == 0   ? shift_left<3>(bits)
                            : kRun == 1 ? shift_left<1>(bits)
                            : kRun == 2 ? shift_right<1>(bits)
                                        : shift_right<3>(bits);
      store_weights(out + i * 64, (nibbles[i] & low) | (first & fifth));
      store_weights(out + 512 + i * 64, (shift_right<4>(nibbles[i]) & low) | (second & fifth));
    }
  }
}

inline void unpack_q5_k(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                        float* factors) {
  for (int64_t b = first_block; b < first_block + blocks; b++) {
    const int64_t at = b * 176;
    fetch_next(rows, b, 176);
    I32x16 header[4];
    load_columns(rows.row, at, header);
    unpack_scales_k4(header, factors);
    I32x16 high[8];
    load_columns(rows.row, at + 16, high);
    load_columns(rows.row, at + 32, high + 4);
    unpack_q5_k_run<0>(rows, at, high, weights);
    unpack_q5_k_run<1>(rows, at, high, weights);
    unpack_q5_k_run<2>(rows, at, high, weights);
    unpack_q5_k_run<3>(rows, at, high, weights);
    weights += 256 * kOutputPanel;
    factors += 8 * 48;
  }
}

inline void unpack_q6_k(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                        float* factors) {
  const I32x16 low = splat_bytes(0x0f);
  const I32x16 top = splat_bytes(0x30);
  const RowOffsets offsets = row_offsets(rows.row);
  for (int64_t b = first_block; b < first_block + blocks; b++) {
    const int64_t at = b * 210;
    fetch_next(rows, b, 210);
    const F32x16 d = float_from_low_half(shift_right<16>(gather_dwords(rows.row, offsets, at + 206)));
    I32x16 scales[4];
    load_columns(rows.row, at + 192, scales);
    for (int i = 0; i < 4; i++) {
      store_scale(factors + i * 128, d * signed_byte<0>(scales[i]));
      store_scale(factors + i * 128 + 32, d * signed_byte<1>(scales[i]));
      store_scale(factors + i * 128 + 64, d * signed_byte<2>(scales[i]));
      store_scale(factors + i * 128 + 96, d * signed_byte<3>(scales[i]));
    }
    for (int piece = 0; piece < 4; piece++) {  // 16 bytes of high bits: a half's weights l, l + 32, …
      const int half = piece / 2;
      const int64_t l = piece % 2 * 16;
      I32x16 first[4];
      I32x16 second[4];
      I32x16 high[4];
      load_columns(rows.row, at + half * 64 + l, first);
      load_columns(rows.row, at + half * 64 + 32 + l, second);
      load_columns(rows.row, at + 128 + half * 32 + l, high);
      uint8_t* const out = weights + (half * 128 + l) * kOutputPanel;
      for (int i = 0; i < 4; i++) {
        store_weights(out + i * 64, (first[i] & low) | (shift_left<4>(high[i]) & top));
        store_weights(out + 512 + i * 64, (second[i] & low) | (shift_left<2>(high[i]) & top));
        store_weights(out + 1024 + i * 64, (shift_right<4>(first[i]) & low) | (high[i] & top));
        store_weights(out + 1536 + i * 64,
                      (shift_right<4>(second[i]) & low) | (shift_right<2>(high[i]) & top));
      }
    }
    weights += 256 * kOutputPanel;
    factors += 16 * 32;
  }
}

/// The unpacker of a type, or nullptr: unpack_any serves it.
template <bool kSignedWide>
inline Unpacker fast_unpacker(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return unpack_q4_0;
    case DType::q8_0:
      return unpack_q8_0<kSignedWide>;
    case DType::q4_k:
      return unpack_q4_k;
    case DType::q5_k:
      return unpack_q5_k;
    case DType::q6_k:
      return unpack_q6_k;
    default:
      return nullptr;
  }
}
