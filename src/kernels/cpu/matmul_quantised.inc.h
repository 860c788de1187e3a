// matmul_quantised for any instruction set: panels of 16 outputs, chunks of columns, runs of rows.
//
// An instruction set gives a struct Isa with
//   kMaxRows                  rows of a run: as many as keep their sums in registers
//   kSignedWide               true: formats with |q| > 64 keep signed weights (offset 0) in the panel
//   unpacker(dtype)           its fast unpacker of a type, or nullptr
//   multiply_few_rows(…)      true when it did the whole call (few_rows.inc.h)
//   multiply(MultiplyCall)    adds a chunk's products to the running sums of a run of rows

/// One chunk of a panel times one run of rows.
struct MultiplyCall {
  const uint8_t* weights;  // see panel.h
  const float* factors;
  int64_t columns;         // of the chunk
  bool signed_weights;     // weights hold int8
  int largest_weight;      // |weight| in the panel
  const std::byte* rows;   // packed activations at the chunk's first column, see pack_rows()
  int64_t row_count;       // 1 … kMaxRows
  float* sums;             // [row_count][16]
  const std::byte* fetch;  // fetch_bytes bytes to have in the cache soon, for each 32 columns
  int64_t fetch_bytes;
};

inline void fetch(const std::byte* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i, 0, 2);
}

template <int kBytes>
[[gnu::always_inline]] inline void fetch_lines(const std::byte* from) {
#pragma GCC unroll 16
  for (int i = 0; i < kBytes; i += 64) __builtin_prefetch(from + i, 0, 2);
}

/// Unpacks `blocks` blocks of each row from `first_block` on.
using Unpacker = void (*)(const PanelRows& rows, int64_t first_block, int64_t blocks, uint8_t* weights,
                          float* factors);

/// The unpacker of every type, through its reference decoder.
inline void unpack_any(const QuantisedFormat& format, int offset, const PanelRows& rows, int64_t first_block,
                       int64_t blocks, uint8_t* weights, float* factors) {
  const int stride = format.factor_stride();
  for (int64_t b = 0; b < blocks; b++) {
    for (int o = 0; o < kOutputPanel; o++) {
      int8_t q[256];
      float scales[16];
      float minimums[16];
      format.decode(rows.row[o] + (first_block + b) * format.block_bytes, q, scales, minimums);
      for (int i = 0; i < format.block_columns; i++) q[i] = static_cast<int8_t>(q[i] + offset);
      for (int i = 0; i < format.block_columns / 4; i++)
        __builtin_memcpy(weights + (i * kOutputPanel + o) * 4, q + i * 4, 4);
      for (int g = 0; g < format.block_columns / format.group; g++) {
        const int sixteen = g * (format.group / 16);
        float* const factor = factors + g * stride + o;
        factor[0] = scales[sixteen];
        factor[16] = -kMagic * scales[sixteen];
        if (format.has_minimums) factor[32] = -minimums[sixteen];
      }
    }
    weights += format.block_columns * kOutputPanel;
    factors += format.block_columns / format.group * stride;
  }
}

/// Bytes that one row takes of each 32 columns in a packed run.
constexpr int64_t packed_row_bytes(int group) {
  return kActivationGroup + 4 + kActivationGroup / group * 4;
}

/// A run's activations as `multiply` walks through them, for each 32 columns:
///   int8 values[rows][32]; float scales[rows]; then for each group of 16 or 32 columns
///   int32 initial[rows] = kMagicBits − offset · (sum of values), or with minimums
///   float weighted_sums[rows] = scale · (sum of values).
inline void pack_run(const QuantisedFormat& format, int offset, const QuantisedRows& x, int64_t first_row,
                     int64_t rows, int64_t inputs, std::byte* out) {
  const int64_t groups = inputs / kActivationGroup;
  const int parts = kActivationGroup / format.group;
  const int64_t stride = rows * packed_row_bytes(format.group);
  alignas(64) float tile[3][16 * 16] = {};   // scales and numbers: [row][group of sixteen]
  alignas(64) float transposed[3][16 * 16];  // [group][row]
  for (int64_t first = 0; first < groups; first += 16) {
    const int64_t count = groups - first < 16 ? groups - first : 16;
    for (int64_t r = 0; r < rows; r++) {
      const float* const scales = x.scales + (first_row + r) * groups + first;
      const int32_t* const sums = x.sums + ((first_row + r) * groups + first) * 2;
      int32_t totals[2][16] = {};
      if (parts == 1) {
        for (int64_t g = 0; g < count; g++) totals[0][g] = sums[2 * g] + sums[2 * g + 1];
      } else {
        for (int64_t g = 0; g < count; g++) {
          totals[0][g] = sums[2 * g];
          totals[1][g] = sums[2 * g + 1];
        }
      }
      const F32x16 scale = load_partial(scales, static_cast<int>(count));
      store(tile[0] + r * 16, scale);
      for (int part = 0; part < parts; part++) {
        const I32x16 total = load(totals[part]);
        store(tile[1 + part] + r * 16, format.has_minimums
                                           ? scale * to_float(total)
                                           : as_float(broadcast(kMagicBits) - broadcast(offset) * total));
      }
    }
    for (int number = 0; number < 1 + parts; number++) transpose(tile[number], 16, transposed[number]);
    const int8_t* const values = x.values + first_row * inputs + first * kActivationGroup;
    for (int64_t g = 0; g < count; g++) {
      std::byte* const group = out + (first + g) * stride;
      for (int64_t r = 0; r < rows; r++)
        __builtin_memcpy(group + r * kActivationGroup, values + r * inputs + g * kActivationGroup,
                         kActivationGroup);
      auto* const numbers = reinterpret_cast<float*>(group + rows * kActivationGroup);
      for (int number = 0; number < 1 + parts; number++)
        store_partial(numbers + number * rows, load(transposed[number] + g * 16), static_cast<int>(rows));
    }
  }
}

template <typename Isa>
inline void matmul_quantised_body(const WeightMatrix& w, int64_t output_begin, int64_t output_end,
                                  const QuantisedRows& x, int64_t rows, float* y, int64_t y_stride,
                                  std::byte* scratch_bytes) {
  const QuantisedFormat format = quantised_format(w, output_begin, output_end);
  if (Isa::multiply_few_rows(w, output_begin, output_end, x, rows, y, y_stride, scratch_bytes)) return;
  const QuantisedScratch scratch = quantised_scratch(scratch_bytes, rows);
  const bool wide = format.largest > 64;
  const bool signed_weights = wide && Isa::kSignedWide;
  // Formats with minimums have q ≥ 0 and need no offset.
  const int offset = format.has_minimums || signed_weights ? 0 : wide ? 128 : format.largest;
  const Unpacker unpack = Isa::unpacker(format.dtype);

  // Runs of nearly equal length, packed once for all panels.
  const int64_t runs = (rows + Isa::kMaxRows - 1) / Isa::kMaxRows;
  const auto run_begin = [=](int64_t run) { return run * rows / runs; };
  const int64_t groups = w.inputs / kActivationGroup;
  const int64_t row_bytes = groups * packed_row_bytes(format.group);
  for (int64_t run = 0; run < runs; run++)
    pack_run(format, offset, x, run_begin(run), run_begin(run + 1) - run_begin(run), w.inputs,
             scratch.rows + run_begin(run) * row_bytes);

  const int64_t group_bytes = format.block_bytes * kOutputPanel * kActivationGroup / format.block_columns;
  for (int64_t first = output_begin; first < output_end; first += kOutputPanel) {
    PanelRows panel = panel_rows(w, first, output_end);
    // With few rows, unpacking asks for the next panel's bytes; with more, multiplying has the time for it.
    const std::byte* const next = rows > 2 ? panel.next : nullptr;
    if (next != nullptr) panel.next = nullptr;
    for (int64_t i = 0; i < rows; i++) store(scratch.sums + i * kOutputPanel, broadcast(0.0F));
    for (int64_t column = 0; column < w.inputs; column += kChunkColumns) {
      const int64_t columns = w.inputs - column < kChunkColumns ? w.inputs - column : kChunkColumns;
      const int64_t block = column / format.block_columns;
      const int64_t blocks = columns / format.block_columns;
      if (unpack != nullptr)
        unpack(panel, block, blocks, scratch.weights, scratch.factors);
      else
        unpack_any(format, offset, panel, block, blocks, scratch.weights, scratch.factors);
      for (int64_t run = 0; run < runs; run++) {
        const int64_t row = run_begin(run);
        const int64_t count = run_begin(run + 1) - row;
        const int64_t group = column / kActivationGroup;
        const bool fetches = next != nullptr && run == 0;
        Isa::multiply(
            format.group, format.has_minimums,
            {.weights = scratch.weights,
             .factors = scratch.factors,
             .columns = columns,
             .signed_weights = signed_weights,
             .largest_weight = format.largest + offset,
             .rows = scratch.rows + row * row_bytes + group * count * packed_row_bytes(format.group),
             .row_count = count,
             .sums = scratch.sums + row * kOutputPanel,
             .fetch = fetches ? next + group * group_bytes : nullptr,
             .fetch_bytes = fetches ? group_bytes : 0});
      }
    }
    const int outputs =
        static_cast<int>(output_end - first < kOutputPanel ? output_end - first : kOutputPanel);
    for (int64_t r = 0; r < rows; r++)
      store_partial(y + r * y_stride + first, load(scratch.sums + r * kOutputPanel), outputs);
  }
}
