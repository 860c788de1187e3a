// matmul_quantised for any instruction set: panels of 16 outputs, chunks of columns, blocks of rows.
//
// An instruction set gives a struct Isa with
//   kSignedWide               true: formats with |q| > 64 keep signed weights (offset 0) in the panel
//   unpacker(dtype)           its fast unpacker of a type, or nullptr
//   multiply(MultiplyCall)    adds a chunk's products to the running sums of `rows` rows

/// One chunk of a panel times some rows.
struct MultiplyCall {
  const uint8_t* weights;  // see panel.h
  const float* factors;
  int64_t columns;       // of the chunk
  bool signed_weights;   // weights hold int8
  const int8_t* values;  // activations at the chunk's first column; row r at + r · value_stride
  int64_t value_stride;
  const float* scales;  // one for each 32 columns; row r at + r · scale_stride
  int64_t scale_stride;
  const int32_t* initial;  // one for each group; row r at + r · group_stride
  const float* weighted_sums;
  int64_t group_stride;
  int64_t rows;
  float* sums;  // [rows][16]
};

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

/// What depends on the activations alone, once for all panels.
inline void prepare_groups(const QuantisedFormat& format, int offset, const QuantisedRows& x, int64_t rows,
                           int64_t inputs, const QuantisedScratch& scratch) {
  const int64_t groups = inputs / format.group;
  for (int64_t r = 0; r < rows; r++) {
    const int32_t* const sums = x.sums + r * (inputs / 16);
    const float* const scales = x.scales + r * (inputs / kActivationGroup);
    int32_t* const initial = scratch.initial + r * groups;
    float* const weighted = scratch.weighted_sums + r * groups;
    if (format.group == 32) {
      if (format.has_minimums) {
        for (int64_t g = 0; g < groups; g++)
          weighted[g] = scales[g] * static_cast<float>(sums[2 * g] + sums[2 * g + 1]);
      } else {
        for (int64_t g = 0; g < groups; g++)
          initial[g] = kMagicBits - offset * (sums[2 * g] + sums[2 * g + 1]);
      }
    } else if (format.has_minimums) {
      for (int64_t g = 0; g < groups; g++) weighted[g] = scales[g / 2] * static_cast<float>(sums[g]);
    } else {
      for (int64_t g = 0; g < groups; g++) initial[g] = kMagicBits - offset * sums[g];
    }
  }
}

template <typename Isa>
inline void matmul_quantised_body(const WeightMatrix& w, int64_t output_begin, int64_t output_end,
                                  const QuantisedRows& x, int64_t rows, float* y, int64_t y_stride,
                                  std::byte* scratch_bytes) {
  const QuantisedFormat format = quantised_format(w, output_begin, output_end);
  const QuantisedScratch scratch = quantised_scratch(scratch_bytes, rows);
  const bool wide = format.largest > 64;
  const bool signed_weights = wide && Isa::kSignedWide;
  // Formats with minimums have q ≥ 0 and need no offset.
  const int offset = format.has_minimums || signed_weights ? 0 : wide ? 128 : format.largest;
  const Unpacker unpack = Isa::unpacker(format.dtype);
  prepare_groups(format, offset, x, rows, w.inputs, scratch);

  const int64_t groups = w.inputs / format.group;
  for (int64_t first = output_begin; first < output_end; first += kOutputPanel) {
    const PanelRows panel = panel_rows(w, first, output_end);
    for (int64_t i = 0; i < rows; i++) store(scratch.sums + i * kOutputPanel, broadcast(0.0F));
    for (int64_t column = 0; column < w.inputs; column += kChunkColumns) {
      const int64_t columns = w.inputs - column < kChunkColumns ? w.inputs - column : kChunkColumns;
      const int64_t block = column / format.block_columns;
      const int64_t blocks = columns / format.block_columns;
      if (unpack != nullptr)
        unpack(panel, block, blocks, scratch.weights, scratch.factors);
      else
        unpack_any(format, offset, panel, block, blocks, scratch.weights, scratch.factors);
      Isa::multiply(format.group, format.has_minimums,
                    {.weights = scratch.weights,
                     .factors = scratch.factors,
                     .columns = columns,
                     .signed_weights = signed_weights,
                     .values = x.values + column,
                     .value_stride = w.inputs,
                     .scales = x.scales + column / kActivationGroup,
                     .scale_stride = w.inputs / kActivationGroup,
                     .initial = scratch.initial + column / format.group,
                     .weighted_sums = scratch.weighted_sums + column / format.group,
                     .group_stride = groups,
                     .rows = rows,
                     .sums = scratch.sums});
    }
    const int outputs =
        static_cast<int>(output_end - first < kOutputPanel ? output_end - first : kOutputPanel);
    for (int64_t r = 0; r < rows; r++)
      store_partial(y + r * y_stride + first, load(scratch.sums + r * kOutputPanel), outputs);
  }
}
