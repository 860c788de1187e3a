// matmul_quantised for a row or two (decoding), where reading the weights is all that matters: a block of 16
// outputs is unpacked in registers and multiplied there, so that memory is never left waiting. The order of
// sums is that of the panels; so are the bits.
//
// The 16 outputs of a pass are not neighbours but a sixteenth of the call's outputs apart, so that each lane
// reads one long ascending stream: sixteen such streams are what the processor's prefetching follows best
// (short rows that lie side by side in a few pages confuse it; asking for the lines by instructions helps
// less, since each holds one of 16 line buffers until it comes).
//
// Before this file: lanes_*.h, unpack.inc.h and the instruction set's own
//   DotSum<Format>: begin(I32x16 initial), add(i, I32x16 weights, const int8_t* x) for i = 0, 1, …
//   (unsigned weights, or signed ones for Format::kSignedWeights, times four signed bytes), sum().

template <typename Format, int kRows>
struct StreamSink {
  const int8_t* values[kRows];  // at the block's first column
  const float* scales[kRows];   // likewise, [/ 32]
  const float* numbers[kRows];  // likewise, [/ group]: initial sums or weighted sums, see pack_run()
  F32x16 total[kRows];
  DotSum<Format> sums[Format::kSlots][kRows];

  [[gnu::always_inline]] void weights(int slot, int group, int i, const I32x16& w) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      if (i == 0)
        sums[slot][r].begin(Format::kMinimums ? broadcast(kMagicBits) : as_int(broadcast(numbers[r][group])));
      sums[slot][r].add(i, w, values[r] + group * Format::kGroup + i * 4);
    }
  }
  [[gnu::always_inline]] void finish(int slot, int group, const F32x16& scale,
                                     const F32x16& negative_minimum) {
    const F32x16 bias = scale * broadcast(-kMagic);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      const F32x16 product = fma(as_float(sums[slot][r].sum()), scale, bias);
      total[r] = fma(product, broadcast(scales[r][group * Format::kGroup / kActivationGroup]), total[r]);
      if constexpr (Format::kMinimums)
        total[r] = fma(negative_minimum, broadcast(numbers[r][group]), total[r]);
    }
  }
  template <int kBytes>
  [[gnu::always_inline]] void fetch() {}
};

template <typename Format, int kRows>
[[gnu::noinline]] void stream_panel(const PanelRows& rows, int64_t inputs, const QuantisedRows& x,
                                    const float* numbers, F32x16* total) {
  StreamSink<Format, kRows> sink;
  for (int r = 0; r < kRows; r++) {
    sink.values[r] = x.values + r * inputs;
    sink.scales[r] = x.scales + r * (inputs / kActivationGroup);
    sink.numbers[r] = numbers + r * (inputs / Format::kGroup);
    sink.total[r] = broadcast(0.0F);
  }
  const RowOffsets offsets = row_offsets(rows.row);
  const int64_t bytes = inputs / Format::kColumns * Format::kBytes;
  for (int64_t at = 0; at < bytes; at += Format::kBytes) {
    Format::block(rows, offsets, at, sink);
    for (int r = 0; r < kRows; r++) {
      sink.values[r] += Format::kColumns;
      sink.scales[r] += Format::kColumns / kActivationGroup;
      sink.numbers[r] += Format::kColumns / Format::kGroup;
    }
  }
  for (int r = 0; r < kRows; r++) total[r] = sink.total[r];
}

/// What each group's sum begins with (a float's bits), or with minimums its activations' weighted sum.
template <typename Format>
inline void fill_numbers(const QuantisedRows& x, int64_t rows, int64_t inputs, float* numbers) {
  constexpr int kParts = kActivationGroup / Format::kGroup;
  const int64_t count = rows * inputs / Format::kGroup;
  for (int64_t i = 0; i < count; i++) {
    const int32_t sum = kParts == 1 ? x.sums[2 * i] + x.sums[2 * i + 1] : x.sums[i];
    numbers[i] = Format::kMinimums ? x.scales[i / kParts] * static_cast<float>(sum)
                                   : __builtin_bit_cast(float, kMagicBits - Format::kOffset * sum);
  }
}

/// How far apart the outputs of a pass are when `passes` make up a piece of a call: at most that many, and
/// such that the sixteen streams do not meet in the same sets of the first-level cache.
inline int64_t stream_distance(int64_t passes, size_t row_bytes) {
  constexpr size_t kSetPeriod = 4096, kNear = 128;
  for (int64_t distance = passes; distance > 1; distance--) {
    const size_t apart = static_cast<size_t>(distance) * row_bytes % kSetPeriod;
    if (apart >= kNear && apart <= kSetPeriod - kNear) return distance;
  }
  return 1;
}

template <typename Format, int kRows>
inline void stream_outputs(const WeightMatrix& w, int64_t output_begin, int64_t output_end,
                           const QuantisedRows& x, float* y, int64_t y_stride, float* numbers) {
  constexpr int64_t kMaxPasses = 32;  // of a piece
  fill_numbers<Format>(x, kRows, w.inputs, numbers);
  for (int64_t first = output_begin; first < output_end;) {
    const int64_t passes = (output_end - first) / kOutputPanel;
    // Fewer than sixteen at the end: the last one is computed (and stored) again.
    const int64_t distance = stream_distance(passes < kMaxPasses ? passes : kMaxPasses, w.row_bytes);
    for (int64_t pass = 0; pass < distance; pass++) {
      PanelRows rows{};
      int64_t outputs[kOutputPanel];
      for (int64_t i = 0; i < kOutputPanel; i++) {
        const int64_t output = first + pass + i * distance;
        outputs[i] = output < output_end ? output : output_end - 1;
        rows.row[i] = w.data + static_cast<size_t>(outputs[i]) * w.row_bytes;
      }
      F32x16 total[kRows];
      stream_panel<Format, kRows>(rows, w.inputs, x, numbers, total);
      for (int r = 0; r < kRows; r++) {
        float results[kOutputPanel];
        store(results, total[r]);
        for (int64_t i = 0; i < kOutputPanel; i++) y[r * y_stride + outputs[i]] = results[i];
      }
    }
    first += distance * kOutputPanel;
  }
}

/// The part of an instruction set's Isa (matmul_quantised.inc.h) that depends on how wide formats are unpacked alone.
template <bool kSigned>
struct FewRows {
  static constexpr bool kSignedWide = kSigned;

  static Unpacker unpacker(DType dtype) { return fast_unpacker<kSigned>(dtype); }

  /// True when the rows are few and the type has an unpacker: then they are multiplied here.
  static bool multiply_few_rows(const WeightMatrix& w, int64_t output_begin, int64_t output_end,
                                const QuantisedRows& x, int64_t rows, float* y, int64_t y_stride,
                                std::byte* scratch) {
    auto* const numbers = reinterpret_cast<float*>(scratch);
    if (rows != 1 && rows != 2) return false;
    return with_unpacker<kSigned>(w.dtype, [&](auto format) {
      using Format = decltype(format);
      rows == 1 ? stream_outputs<Format, 1>(w, output_begin, output_end, x, y, y_stride, numbers)
                : stream_outputs<Format, 2>(w, output_begin, output_end, x, y, y_stride, numbers);
    });
  }
};
