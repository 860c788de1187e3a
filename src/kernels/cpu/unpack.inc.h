// Fast unpackers over lanes: lane i is row i of the panel. Four bytes of 16 rows go through one vector; what
// the bits of a block mean is in tensor/blocks.h.
//
// A format's block() takes one block of each row apart and gives it to a sink, four columns at a time:
//   sink.weights(slot, group, i, w)   columns 4·i … 4·i + 3 of a group, as q + kOffset; i ascends
//   sink.finish(slot, group, scale, negative_minimum)     all weights of the group were given
//   sink.fetch<bytes>()               a good moment to ask for so many bytes of what comes later
// Groups are finished in ascending order; those begun and not finished have slots 0 … kSlots - 1 of their
// own. StoreSink (here) keeps the weights for many rows; StreamSink (few_rows.inc.h) multiplies them at once.

inline I32x16 splat_bytes(uint32_t byte) {
  return broadcast(static_cast<int32_t>(byte * 0x01010101U));
}

template <int kIndex>
inline F32x16 signed_byte(const I32x16& a) {
  return to_float(shift_right_signed<24>(shift_left<24 - 8 * kIndex>(a)));
}

/// factor · (byte kIndex of each lane, below 128): the exact product, in two steps less than by shifts.
template <int kIndex>
inline F32x16 times_byte(const F32x16& factor, const I32x16& bytes) {
  constexpr float kUnit = kIndex == 0 ? 1.0F : kIndex == 1 ? 0x1p-8F : kIndex == 2 ? 0x1p-16F : 0x1p-24F;
  return factor * broadcast(kUnit) * to_float(bytes & broadcast(0x7f << (8 * kIndex)));
}

/// Calls body(constant 0), …, body(constant kCount - 1): for loops whose index goes into types and shifts.
template <int kCount, int kFirst = 0, typename Body>
[[gnu::always_inline]] inline void unrolled(const Body& body) {
  if constexpr (kFirst < kCount) {
    body(std::integral_constant<int, kFirst>{});
    unrolled<kCount, kFirst + 1>(body);
  }
}

/// Keeps a block's weights and factors as panel.h lays them out.
template <typename Format>
struct StoreSink {
  uint8_t* weights_out;
  float* factors_out;
  const std::byte* next;  // nullptr: nothing to fetch

  [[gnu::always_inline]] void weights(int, int group, int i, const I32x16& w) const {
    store(reinterpret_cast<int32_t*>(weights_out + (group * Format::kGroup + 4 * i) * kOutputPanel), w);
  }
  [[gnu::always_inline]] void finish(int, int group, const F32x16& scale,
                                     const F32x16& negative_minimum) const {
    float* const factors = factors_out + group * (Format::kMinimums ? 48 : 32);
    store(factors, scale);
    store(factors + 16, scale * broadcast(-kMagic));
    if constexpr (Format::kMinimums) store(factors + 32, negative_minimum);
  }
  template <int kBytes>
  [[gnu::always_inline]] void fetch() {
    if (next == nullptr) return;
    fetch_lines<kBytes>(next);
    next += kBytes;
  }
};

/// Bytes: stored as they are where the instruction set takes signed weights, else + 128.
template <bool kSigned>
struct UnpackQ8_0 {
  static constexpr int kColumns = 32, kBytes = 34, kGroup = 32, kSlots = 1;
  static constexpr int kOffset = kSigned ? 0 : 128, kLargest = 255;
  static constexpr bool kMinimums = false, kSignedWeights = kSigned;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 flip = splat_bytes(kSigned ? 0 : 0x80);
    const F32x16 scale = float_from_low_half(gather_dwords(rows.row, offsets, at));
    sink.template fetch<34 * 16>();
    unrolled<2>([&](auto half) {
      I32x16 q[4];
      load_columns(rows.row, at + 2 + 16 * half, q);
      unrolled<4>([&](auto i) { sink.weights(0, 0, half * 4 + i, q[i] ^ flip); });
    });
    sink.finish(0, 0, scale, scale);
  }
};

/// Sixteen bytes of nibbles as a group of 32: low ones first.
template <typename Sink, typename Place>
[[gnu::always_inline]] inline void give_nibbles(const I32x16 nibbles[4], int group, Sink& sink,
                                                const Place& place) {
  const I32x16 low = splat_bytes(0x0f);
  unrolled<4>([&](auto i) { sink.weights(0, group, i, place(i, nibbles[i] & low)); });
  unrolled<4>([&](auto i) {
    sink.weights(0, group, 4 + i,
                 place(std::integral_constant<int, 4 + i>{}, shift_right<4>(nibbles[i]) & low));
  });
}
inline constexpr auto kAsIs = [](auto, const I32x16& w) { return w; };

struct UnpackQ4_0 {
  static constexpr int kColumns = 32, kBytes = 18, kGroup = 32, kSlots = 1, kOffset = 8, kLargest = 15;
  static constexpr bool kMinimums = false, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const F32x16 scale = float_from_low_half(gather_dwords(rows.row, offsets, at));
    sink.template fetch<18 * 16>();
    I32x16 nibbles[4];
    load_columns(rows.row, at + 2, nibbles);
    give_nibbles(nibbles, 0, sink, kAsIs);
    sink.finish(0, 0, scale, scale);
  }
};

struct UnpackQ4_1 {
  static constexpr int kColumns = 32, kBytes = 20, kGroup = 32, kSlots = 1, kOffset = 0, kLargest = 15;
  static constexpr bool kMinimums = true, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 header = gather_dwords(rows.row, offsets, at);
    sink.template fetch<20 * 16>();
    I32x16 nibbles[4];
    load_columns(rows.row, at + 4, nibbles);
    give_nibbles(nibbles, 0, sink, kAsIs);
    sink.finish(0, 0, float_from_low_half(header), float_from_low_half(shift_right<16>(header)));
  }
};

/// The fifth bits of weights 4 · kFour … 4 · kFour + 3, each as 16 in its byte.
template <int kFour>
inline I32x16 fifth_bits(const I32x16& bits) {
  const I32x16 four = shift_right<4 * kFour>(bits) & broadcast(0x0f);
  const I32x16 spread = (four | shift_left<7>(four)) | (shift_left<14>(four) | shift_left<21>(four));
  return shift_left<4>(spread & splat_bytes(0x01));
}

struct UnpackQ5_0 {
  static constexpr int kColumns = 32, kBytes = 22, kGroup = 32, kSlots = 1, kOffset = 16, kLargest = 31;
  static constexpr bool kMinimums = false, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const F32x16 scale = float_from_low_half(gather_dwords(rows.row, offsets, at));
    const I32x16 bits = gather_dwords(rows.row, offsets, at + 2);
    sink.template fetch<22 * 16>();
    I32x16 nibbles[4];
    load_columns(rows.row, at + 6, nibbles);
    give_nibbles(nibbles, 0, sink, [&](auto i, const I32x16& w) { return w | fifth_bits<i>(bits); });
    sink.finish(0, 0, scale, scale);
  }
};

struct UnpackQ5_1 {
  static constexpr int kColumns = 32, kBytes = 24, kGroup = 32, kSlots = 1, kOffset = 0, kLargest = 31;
  static constexpr bool kMinimums = true, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 header = gather_dwords(rows.row, offsets, at);
    const I32x16 bits = gather_dwords(rows.row, offsets, at + 4);
    sink.template fetch<24 * 16>();
    I32x16 nibbles[4];
    load_columns(rows.row, at + 8, nibbles);
    give_nibbles(nibbles, 0, sink, [&](auto i, const I32x16& w) { return w | fifth_bits<i>(bits); });
    sink.finish(0, 0, float_from_low_half(header), float_from_low_half(shift_right<16>(header)));
  }
};

/// The 16 values of IQ4 as bytes for look_up(), in the form of wide weights (see UnpackQ8_0).
template <bool kSigned>
struct Iq4Values {
  alignas(16) int8_t bytes[16];
  constexpr Iq4Values() : bytes{} {
    for (int i = 0; i < 16; i++) bytes[i] = static_cast<int8_t>(kIq4Values[i] + (kSigned ? 0 : 128));
  }
};

template <bool kSigned>
struct UnpackIq4Nl {
  static constexpr int kColumns = 32, kBytes = 18, kGroup = 32, kSlots = 1;
  static constexpr int kOffset = kSigned ? 0 : 128, kLargest = 255;
  static constexpr bool kMinimums = false, kSignedWeights = kSigned;
  static constexpr Iq4Values<kSigned> kValues{};
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const F32x16 scale = float_from_low_half(gather_dwords(rows.row, offsets, at));
    sink.template fetch<18 * 16>();
    I32x16 nibbles[4];
    load_columns(rows.row, at + 2, nibbles);
    give_nibbles(nibbles, 0, sink, [](auto, const I32x16& w) { return look_up(kValues.bytes, w); });
    sink.finish(0, 0, scale, scale);
  }
};

template <bool kSigned>
struct UnpackIq4Xs {
  static constexpr int kColumns = 256, kBytes = 136, kGroup = 32, kSlots = 1;
  static constexpr int kOffset = kSigned ? 0 : 128, kLargest = 255;
  static constexpr bool kMinimums = false, kSignedWeights = kSigned;
  static constexpr Iq4Values<kSigned> kValues{};
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 header = gather_dwords(rows.row, offsets, at);  // d, high bits
    const I32x16 low = gather_dwords(rows.row, offsets, at + 4);
    const F32x16 d = float_from_low_half(header);
    unrolled<8>([&](auto group) {
      sink.template fetch<17 * 16>();
      I32x16 nibbles[4];
      load_columns(rows.row, at + 8 + 16 * group, nibbles);
      give_nibbles(nibbles, group, sink, [](auto, const I32x16& w) { return look_up(kValues.bytes, w); });
      const I32x16 bits = (shift_right<4 * group>(low) & broadcast(0x0f)) |
                          shift_left<4>(shift_right<16 + 2 * group>(header) & broadcast(0x03));
      const F32x16 scale = d * to_float(bits - broadcast(32));
      sink.finish(0, group, scale, scale);
    });
  }
};

/// Scales and minimums of Q4_K and Q5_K from the 16 bytes at the block's begin: d, dmin, 12 packed bytes.
struct ScalesK4 {
  F32x16 d, negative_dmin;
  I32x16 scales[2], minimums[2];  // bytes, those of groups 0 … 3 and 4 … 7

  ScalesK4(const PanelRows& rows, int64_t at) {
    I32x16 header[4];
    load_columns(rows.row, at, header);
    const I32x16 six = splat_bytes(0x3f);
    const I32x16 four = splat_bytes(0x0f);
    const I32x16 top = splat_bytes(0x30);
    d = float_from_low_half(header[0]);
    negative_dmin = float_from_low_half(shift_right<16>(header[0])) * broadcast(-1.0F);
    scales[0] = header[1] & six;
    scales[1] = (header[3] & four) | (shift_right<2>(header[1]) & top);
    minimums[0] = header[2] & six;
    minimums[1] = (shift_right<4>(header[3]) & four) | (shift_right<2>(header[2]) & top);
  }
  template <int kGroup, typename Sink>
  [[gnu::always_inline]] void finish(int slot, Sink& sink) const {
    sink.finish(slot, kGroup, times_byte<kGroup % 4>(d, scales[kGroup / 4]),
                times_byte<kGroup % 4>(negative_dmin, minimums[kGroup / 4]));
  }
};

struct UnpackQ4K {
  static constexpr int kColumns = 256, kBytes = 144, kGroup = 32, kSlots = 2, kOffset = 0, kLargest = 15;
  static constexpr bool kMinimums = true, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets&, int64_t at, Sink& sink) {
    const ScalesK4 factors(rows, at);
    const I32x16 low = splat_bytes(0x0f);
    unrolled<4>([&](auto run) {  // 64 weights in 32 bytes
      sink.template fetch<36 * 16>();
      unrolled<2>([&](auto half) {
        I32x16 nibbles[4];
        load_columns(rows.row, at + 16 + run * 32 + half * 16, nibbles);
        unrolled<4>([&](auto i) {
          sink.weights(0, run * 2, half * 4 + i, nibbles[i] & low);
          sink.weights(1, run * 2 + 1, half * 4 + i, shift_right<4>(nibbles[i]) & low);
        });
      });
      factors.finish<run * 2>(0, sink);
      factors.finish<run * 2 + 1>(1, sink);
    });
  }
};

/// Bit kBit of each byte, moved to bit 4.
template <int kBit>
inline I32x16 bit_to_fourth(const I32x16& bytes) {
  I32x16 moved = bytes;
  if constexpr (kBit < 4) moved = shift_left<4 - kBit>(bytes);
  if constexpr (kBit > 4) moved = shift_right<kBit - 4>(bytes);
  return moved & splat_bytes(0x10);
}

struct UnpackQ5K {
  static constexpr int kColumns = 256, kBytes = 176, kGroup = 32, kSlots = 2, kOffset = 0, kLargest = 31;
  static constexpr bool kMinimums = true, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets&, int64_t at, Sink& sink) {
    const ScalesK4 factors(rows, at);
    const I32x16 low = splat_bytes(0x0f);
    I32x16 high[8];
    load_columns(rows.row, at + 16, high);
    load_columns(rows.row, at + 32, high + 4);
    unrolled<4>([&](auto run) {
      sink.template fetch<44 * 16>();
      unrolled<2>([&](auto half) {
        I32x16 nibbles[4];
        load_columns(rows.row, at + 48 + run * 32 + half * 16, nibbles);
        unrolled<4>([&](auto i) {
          const I32x16 bits = high[half * 4 + i];
          sink.weights(0, run * 2, half * 4 + i, (nibbles[i] & low) | bit_to_fourth<run * 2>(bits));
          sink.weights(1, run * 2 + 1, half * 4 + i,
                       (shift_right<4>(nibbles[i]) & low) | bit_to_fourth<run * 2 + 1>(bits));
        });
      });
      factors.finish<run * 2>(0, sink);
      factors.finish<run * 2 + 1>(1, sink);
    });
  }
};

struct UnpackQ6K {
  static constexpr int kColumns = 256, kBytes = 210, kGroup = 16, kSlots = 8, kOffset = 32, kLargest = 63;
  static constexpr bool kMinimums = false, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 low = splat_bytes(0x0f);
    const I32x16 top = splat_bytes(0x30);
    const F32x16 d = float_from_low_half(shift_right<16>(gather_dwords(rows.row, offsets, at + 206)));
    I32x16 scales[4];
    load_columns(rows.row, at + 192, scales);
    unrolled<2>([&](auto half) {
      unrolled<2>([&](auto piece) {  // 16 bytes of high bits: weights l, l + 32, l + 64, l + 96 of the half
        sink.template fetch<210 * 4>();
        I32x16 first[4];
        I32x16 second[4];
        I32x16 high[4];
        load_columns(rows.row, at + half * 64 + piece * 16, first);
        load_columns(rows.row, at + half * 64 + 32 + piece * 16, second);
        load_columns(rows.row, at + 128 + half * 32 + piece * 16, high);
        const int group = half * 8 + piece;
        unrolled<4>([&](auto i) {
          sink.weights(piece, group, i, (first[i] & low) | (shift_left<4>(high[i]) & top));
          sink.weights(piece + 2, group + 2, i, (second[i] & low) | (shift_left<2>(high[i]) & top));
          sink.weights(piece + 4, group + 4, i, (shift_right<4>(first[i]) & low) | (high[i] & top));
          sink.weights(piece + 6, group + 6, i,
                       (shift_right<4>(second[i]) & low) | (shift_right<2>(high[i]) & top));
        });
      });
      unrolled<8>([&](auto slot) {
        const F32x16 scale = d * signed_byte<slot % 4>(scales[half * 2 + slot / 4]);
        sink.finish(slot, half * 8 + slot, scale, scale);
      });
    });
  }
};

struct UnpackQ2K {
  static constexpr int kColumns = 256, kBytes = 84, kGroup = 16, kSlots = 1, kOffset = 0, kLargest = 3;
  static constexpr bool kMinimums = true, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets& offsets, int64_t at, Sink& sink) {
    const I32x16 two = splat_bytes(0x03);
    const I32x16 low = splat_bytes(0x0f);
    const I32x16 header = gather_dwords(rows.row, offsets, at + 80);
    const F32x16 d = float_from_low_half(header);
    const F32x16 negative_dmin = float_from_low_half(shift_right<16>(header)) * broadcast(-1.0F);
    I32x16 packed[4];
    load_columns(rows.row, at, packed);
    unrolled<2>([&](auto half) {
      I32x16 crumbs[8];
      load_columns(rows.row, at + 16 + half * 32, crumbs);
      load_columns(rows.row, at + 32 + half * 32, crumbs + 4);
      unrolled<8>([&](auto part) {  // 16 weights: two bits of half of the bytes
        if constexpr (part % 2 == 0) sink.template fetch<84 * 2>();
        constexpr int kInHalf = part;
        constexpr int kGroupInBlock = half * 8 + part;
        unrolled<4>([&](auto i) {
          sink.weights(0, kGroupInBlock, i, shift_right<kInHalf / 2 * 2>(crumbs[kInHalf % 2 * 4 + i]) & two);
        });
        const I32x16 bytes = packed[kGroupInBlock / 4];
        sink.finish(0, kGroupInBlock, times_byte<kGroupInBlock % 4>(d, bytes & low),
                    times_byte<kGroupInBlock % 4>(negative_dmin, shift_right<4>(bytes) & low));
      });
    });
  }
};

struct UnpackQ3K {
  static constexpr int kColumns = 256, kBytes = 110, kGroup = 16, kSlots = 1, kOffset = 4, kLargest = 7;
  static constexpr bool kMinimums = false, kSignedWeights = false;
  template <typename Sink>
  static void block(const PanelRows& rows, const RowOffsets&, int64_t at, Sink& sink) {
    const I32x16 two = splat_bytes(0x03);
    const I32x16 four = splat_bytes(0x04);
    const I32x16 low = splat_bytes(0x0f);
    const I32x16 top = splat_bytes(0x30);
    I32x16 tail[4];  // two bytes of crumbs, 12 of scales, d: so nothing after the block is read
    load_columns(rows.row, at + 94, tail);
    const F32x16 d = float_from_low_half(shift_right<16>(tail[3]));
    const I32x16 a = shift_right<16>(tail[0]) | shift_left<16>(tail[1]);
    const I32x16 b = shift_right<16>(tail[1]) | shift_left<16>(tail[2]);
    const I32x16 c = shift_right<16>(tail[2]) | shift_left<16>(tail[3]);
    // Six bits, so that 32 is to be taken off.
    const I32x16 scales[4] = {(a & low) | (shift_left<4>(c) & top), (b & low) | (shift_left<2>(c) & top),
                              (shift_right<4>(a) & low) | (c & top),
                              (shift_right<4>(b) & low) | (shift_right<2>(c) & top)};
    I32x16 high[8];
    load_columns(rows.row, at, high);
    load_columns(rows.row, at + 16, high + 4);
    unrolled<2>([&](auto half) {
      I32x16 crumbs[8];
      load_columns(rows.row, at + 32 + half * 32, crumbs);
      load_columns(rows.row, at + 48 + half * 32, crumbs + 4);
      unrolled<8>([&](auto part) {
        if constexpr (part % 2 == 0) sink.template fetch<110 * 2>();
        constexpr int kInHalf = part;
        constexpr int kGroupInBlock = half * 8 + part;
        constexpr int kBit = half * 4 + part / 2;
        unrolled<4>([&](auto i) {
          const I32x16 bits = high[kInHalf % 2 * 4 + i];
          I32x16 third = bits;
          if constexpr (kBit < 2) third = shift_left<2 - kBit>(bits);
          if constexpr (kBit > 2) third = shift_right<kBit - 2>(bits);
          sink.weights(0, kGroupInBlock, i,
                       (shift_right<kInHalf / 2 * 2>(crumbs[kInHalf % 2 * 4 + i]) & two) | (third & four));
        });
        // 4 · (s - 32) as a signed byte: s is below 64.
        const I32x16 bytes = shift_left<2>(scales[kGroupInBlock / 4]) ^ splat_bytes(0x80);
        const F32x16 scale = d * broadcast(0.25F) * signed_byte<kGroupInBlock % 4>(bytes);
        sink.finish(0, kGroupInBlock, scale, scale);
      });
    });
  }
};

/// Calls use(Format{}) with a type's unpacker; false: it has none, unpack_any serves it.
template <bool kSignedWide, typename Use>
inline bool with_unpacker(DType dtype, const Use& use) {
  switch (dtype) {
    case DType::q4_0:
      return use(UnpackQ4_0{}), true;
    case DType::q4_1:
      return use(UnpackQ4_1{}), true;
    case DType::q5_0:
      return use(UnpackQ5_0{}), true;
    case DType::q5_1:
      return use(UnpackQ5_1{}), true;
    case DType::q8_0:
      return use(UnpackQ8_0<kSignedWide>{}), true;
    case DType::q2_k:
      return use(UnpackQ2K{}), true;
    case DType::q3_k:
      return use(UnpackQ3K{}), true;
    case DType::q4_k:
      return use(UnpackQ4K{}), true;
    case DType::q5_k:
      return use(UnpackQ5K{}), true;
    case DType::q6_k:
      return use(UnpackQ6K{}), true;
    case DType::iq4_nl:
      return use(UnpackIq4Nl<kSignedWide>{}), true;
    case DType::iq4_xs:
      return use(UnpackIq4Xs<kSignedWide>{}), true;
    default:
      return false;
  }
}

template <typename Format>
inline void unpack_blocks(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                          float* factors) {
  const RowOffsets offsets = row_offsets(rows.row);
  const int64_t begin = first_block * Format::kBytes;
  StoreSink<Format> sink{weights, factors, rows.next == nullptr ? nullptr : rows.next + begin * kOutputPanel};
  for (int64_t b = 0; b < blocks; b++) {
    Format::block(rows, offsets, begin + b * Format::kBytes, sink);
    sink.weights_out += Format::kColumns * kOutputPanel;
    sink.factors_out += Format::kColumns / Format::kGroup * (Format::kMinimums ? 48 : 32);
  }
}

/// The unpacker of a type into a panel, or nullptr: unpack_any serves it.
template <bool kSignedWide>
inline Unpacker fast_unpacker(DType dtype) {
  Unpacker unpacker = nullptr;
  with_unpacker<kSignedWide>(dtype, [&](auto format) { unpacker = unpack_blocks<decltype(format)>; });
  return unpacker;
}
