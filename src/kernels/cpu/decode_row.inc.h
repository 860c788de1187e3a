// Parts of stored rows as float32, exactly: the bits of dequantise_row (times the block scales of FP8).
// Included after lanes_*.h and decode_blocks.inc.h, inside the unit's unnamed namespace.

/// Sixteen FP8 E4M3 values, exactly.
inline F32x16 load_f8(const uint8_t* p) {
  const I32x16 bits = load_u8(p);
  const I32x16 magnitude = bits & broadcast(0x7f);
  const F32x16 count = to_float(magnitude);  // below 8: subnormal, count · 2^-9; 127: NaN
  const F32x16 normal = as_float(shift_left<20>(magnitude) + broadcast(120 << 23));
  const F32x16 subnormal = count * broadcast(0x1p-9F);
  const F32x16 finite = select_less(count, broadcast(8.0F), subnormal, normal);
  const F32x16 value = select_less(count, broadcast(127.0F), finite, as_float(broadcast(0x7fc00000)));
  return as_float(as_int(value) | shift_left<24>(bits & broadcast(0x80)));
}

/// NF4 in whole blocks, as dequantise_nf4 does: the table times the block's scale, looked up.
inline void decode_nf4(const WeightMatrix& w, int64_t output, int64_t begin, int64_t count, float* out) {
  constexpr int64_t kScales = 16;  // of blocks that are worked out at a time
  const F32x16 values = load(nf4_table());
  const int64_t first = begin / kNf4Block;
  const int64_t blocks = count / kNf4Block;
  const auto* block = reinterpret_cast<const uint8_t*>(w.data) + static_cast<size_t>(output) * w.row_bytes +
                      first * kNf4BlockBytes;
  float scales[kScales];
  for (int64_t b = 0; b < blocks; b++, block += kNf4BlockBytes, out += kNf4Block) {
    if (b % kScales == 0)
      nf4_row_scales(w, output, first + b, blocks - b < kScales ? blocks - b : kScales, scales);
    const F32x16 table = values * broadcast(scales[b % kScales]);
    for (int64_t c = 0; c < kNf4Block; c += 16) store(out + c, look_up_nibbles(table, block + 1 + c / 2));
  }
}

/// Columns [begin, begin + count) of row `output`. begin is a multiple of 256; only their bytes are read.
inline void decode_row(const WeightMatrix& w, int64_t output, int64_t begin, int64_t count, float* out) {
  const int64_t whole = count / 16 * 16;
  const std::byte* const row = w.data + static_cast<size_t>(output) * w.row_bytes;
  if (w.dtype == DType::f32) {
    const auto* source = reinterpret_cast<const float*>(row) + begin;
    for (int64_t c = 0; c < whole; c += 16) store(out + c, load(source + c));
    for (int64_t c = whole; c < count; c++) out[c] = source[c];
  } else if (w.dtype == DType::f16 || w.dtype == DType::bf16) {
    const auto* source = reinterpret_cast<const uint16_t*>(row) + begin;
    const bool half = w.dtype == DType::f16;
    for (int64_t c = 0; c < whole; c += 16)
      store(out + c, half ? load_f16(source + c) : load_bf16(source + c));
    if (whole == count) return;
    uint16_t rest[16] = {};
    for (int64_t c = whole; c < count; c++) rest[c - whole] = source[c];
    float converted[16];
    store(converted, half ? load_f16(rest) : load_bf16(rest));
    for (int64_t c = whole; c < count; c++) out[c] = converted[c - whole];
  } else if (w.dtype == DType::f8_e4m3 && w.block_scales != nullptr && whole == count) {
    const auto* source = reinterpret_cast<const uint8_t*>(row) + begin;
    const float* const scales = w.block_scales + output / 128 * ((w.inputs + 127) / 128);
    for (int64_t c = 0; c < count; c += 16)
      store(out + c, load_f8(source + c) * broadcast(scales[(begin + c) / 128]));
  } else if (w.dtype == DType::nf4) {
    decode_nf4(w, output, begin, count, out);
  } else if (!decode_blocks(w.dtype, row, begin, count, out)) {
    decode_stored_row(w, output, begin, count, out);
  }
}
