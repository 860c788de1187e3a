// How the matrix kernels see quantised weights: the rows of 16 outputs ("a panel") over a run of columns,
// unpacked on the fly from the file's blocks into a few KiB of scratch.
//
// - weights: unsigned bytes, [columns / 4][16 outputs][4]: w = q + offset, so that one 4-byte product-sum
//   instruction works on all 16 outputs;
// - factors, for each group of 16 or 32 columns: scale[16], bias[16] = −kMagic · scale (exact, as scales
//   have at most 22 significant bits), and for formats with minimums −minimum[16].
//
// Integer sums start at kMagicBits − offset · (sum of the group's activations). Read as a float, such a sum
// is kMagic + s with s the exact integer, as |s| < 2^22; so fma(that, scale, bias) is s · scale, rounded
// once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "tensor/integer_blocks.h"
#include "tensor/nf4.h"

namespace r1::kernels {

inline constexpr float kMagic = 0x1.8p23F;
inline constexpr int32_t kMagicBits = 0x4B400000;

/// Columns unpacked at once, so that a panel's chunk and the activations of a few rows stay in L1.
inline constexpr int64_t kChunkColumns = 1024;
static_assert(kChunkColumns % 256 == 0);

struct QuantisedFormat {
  DType dtype;
  IntegerDecoder decode;
  int block_columns;
  int block_bytes;
  int group;  // columns that share a scale: 16 or 32
  bool has_minimums;
  int largest;  // |q| ≤ largest

  int factor_stride() const { return has_minimums ? 48 : 32; }  // floats of one group
};

/// Throws Error(invalid_argument) when w is not quantised or a call's range or columns do not fit its blocks.
QuantisedFormat quantised_format(const WeightMatrix& w, int64_t output_begin, int64_t output_end);

/// Where the pieces of matmul_quantised's scratch lie.
struct QuantisedScratch {
  uint8_t* weights;  // [kChunkColumns / 4][16][4]
  float* factors;    // [kChunkColumns / group][factor_stride]
  float* sums;       // [rows][16]: running sums of a panel
  std::byte* rows;   // packed activations of all runs
};
QuantisedScratch quantised_scratch(std::byte* scratch, int64_t rows);

/// Where the pieces of matmul_float's scratch lie.
inline constexpr int64_t kFloatChunkColumns = 256;
struct FloatScratch {
  float* decoded;  // [16][kFloatChunkColumns], as in the file
  float* weights;  // [kFloatChunkColumns][16]
  float* sums;     // [rows][16]
};
FloatScratch float_scratch(std::byte* scratch);

/// The rows of a panel in the file. Rows past the last output repeat it: they are computed and not stored.
struct PanelRows {
  const std::byte* row[kOutputPanel];
  const std::byte* next;  // the panel after this one, to be fetched meanwhile; nullptr at the end
};
PanelRows panel_rows(const WeightMatrix& w, int64_t first_output, int64_t output_end);

/// Decodes columns [begin, begin + count) of row `output` of any type. begin is a multiple of 256. Throws
/// Error(unsupported) for types without floats.
void decode_stored_row(const WeightMatrix& w, int64_t output, int64_t begin, int64_t count, float* out);

/// NF4's 16 values, and the scales of `blocks` blocks of row `output` from block `first` on.
const float* nf4_table();
void nf4_row_scales(const WeightMatrix& w, int64_t output, int64_t first, int64_t blocks, float* scales);

/// The decoded weights that matmul_transposed keeps in L1, in floats.
inline constexpr int64_t kTransposedFloats = 32 * (256 + 16);

}  // namespace r1::kernels
