// The compute kernels behind one table a processor kind: raw pointers and strides, no knowledge of models.
//
// The promise that everything above stands on: a row's result depends on that row alone. Each kernel fixes
// one order of sums for each weight format, whatever the number of rows, the rows beside it, the split over
// threads or (where stated) the instruction set. So a sequence's logits are the same bits in prefill, decode,
// speculation and in any batch.
//
// Threads: every function may run on several threads at once on disjoint outputs. Scratch is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/dtype.h"

namespace r1::kernels {

/// A linear layer's weights as they lie in the file: `outputs` rows of `inputs` elements.
struct WeightMatrix {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  int64_t outputs = 0;
  int64_t inputs = 0;
  size_t row_bytes = 0;                 // from one row to the next
  const float* block_scales = nullptr;  // f8_e4m3 and nf4: see TensorView
};

/// Activations in int8, in groups of 32 columns: x[r][c] ≈ scales[r][c/32] · values[r][c].
/// scales are max|x|/127 of the group; values are rounded to nearest, ties to even.
inline constexpr int kActivationGroup = 32;
struct QuantisedRows {
  int8_t* values = nullptr;  // [rows, columns]
  float* scales = nullptr;   // [rows, columns / 32]
  int32_t* sums = nullptr;   // [rows, columns / 16]: sums of 16 values (formats with offsets need them)
};

/// One sequence's part of an attention call over a paged cache. Row r stands at position first_position + r
/// and sees the keys of positions 0 … first_position + r (its own included, already written to the cache).
struct AttentionSlice {
  const float* queries = nullptr;  // [rows, query_stride]: heads · key_columns floats are used
  float* output = nullptr;         // [rows, output_stride]: heads · value_columns floats are written
  int64_t rows = 0;
  int64_t first_position = 0;
  const int32_t* blocks = nullptr;  // cache block of positions 0…block_tokens-1, of the next block_tokens, …
};

/// What all slices of a call share. The key of position p and key/value head h has `key_columns` elements at
///   keys + b · key_block_bytes + (p % block_tokens) · key_token_bytes + h · key_head_bytes,
/// where b = blocks[p / block_tokens]; the same for values. With MLA both point into the same rows
/// (value_columns ≤ key_columns, all heads share one).
struct AttentionShape {
  int64_t heads = 0;  // query heads
  int64_t key_value_heads = 0;
  int64_t key_columns = 0;  // of one head
  int64_t value_columns = 0;
  int64_t query_stride = 0;  // floats between rows
  int64_t output_stride = 0;
  float scale = 0;               // multiplies the scores
  int64_t window = 0;            // positions that a query sees, itself included; 0: all up to itself
  int64_t block_tokens = 0;      // a power of two
  DType key_dtype = DType::f16;  // f32, f16, q8_0 or q4_0
  DType value_dtype = DType::f16;
  const std::byte* keys = nullptr;
  size_t key_block_bytes = 0, key_token_bytes = 0, key_head_bytes = 0;
  const std::byte* values = nullptr;
  size_t value_block_bytes = 0, value_token_bytes = 0, value_head_bytes = 0;
};

struct TrainingKernels;

struct KernelTable {
  std::string_view name;  // "scalar", "avx2", "avx512"

  /// Quantises rows of `columns` floats (a multiple of 32); row r begins at x + r · stride.
  void (*quantise_rows)(const float* x, int64_t rows, int64_t columns, int64_t stride,
                        const QuantisedRows& out);

  /// y[r][o - output_begin…] = Σ x[r] · w[o] for o in [output_begin, output_end), in the integer arithmetic
  /// of quantised weights (docs/kernels.md has the order of sums). y: row r at y + r · y_stride, *indexed by
  /// o* (y[r · y_stride + o]). output_begin is a multiple of kOutputPanel; scratch: matmul_scratch_bytes().
  void (*matmul_quantised)(const WeightMatrix& w, int64_t output_begin, int64_t output_end,
                           const QuantisedRows& x, int64_t rows, float* y, int64_t y_stride,
                           std::byte* scratch);

  /// The same in float32 for any dtype (weights decoded exactly): fused multiply-adds over ascending columns
  /// in blocks of 32, block sums added in order. Used for unquantised weights, and for all in exact
  /// arithmetic. x: row r at x + r · x_stride.
  void (*matmul_float)(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const float* x,
                       int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch);

  /// y[r][c] = Σ_o x[r][o] · w[row_begin + o][c] for o in [0, row_count), in float32 for any dtype (weights
  /// decoded exactly): one chain of fused multiply-adds over ascending o, from zero. x: row r at x + r ·
  /// x_stride, row_count floats; y: row r at y + r · y_stride, w.inputs floats.
  void (*matmul_transposed)(const WeightMatrix& w, int64_t row_begin, int64_t row_count, const float* x,
                            int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch);

  /// Attention of query heads [head_begin, head_end) of one slice, rows [row_begin, row_end).
  /// Softmax over tiles of keys in ascending order (running maximum), each segment of kSegmentTokens
  /// positions by itself, then over segments in ascending order: docs/attention.md has the order of sums.
  void (*attention)(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                    int64_t row_end, int64_t head_begin, int64_t head_end, std::byte* scratch);

  /// The same in two steps, for one sequence on many threads: the keys of segment `segment` only, for each
  /// row r (from the slice's first) and head h that see it to
  ///   partial + ((r · heads + h) · segments + segment) · attention_partial_floats(shape);
  void (*attention_segment)(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                            int64_t row_end, int64_t head_begin, int64_t head_end, int64_t segment,
                            int64_t segments, float* partial, std::byte* scratch);
  /// then all segments of one row and head to the output, the same bits as `attention`'s.
  void (*merge_attention)(const AttentionShape& shape, const AttentionSlice& slice, int64_t row, int64_t head,
                          int64_t segments, float* partial);

  /// out = x / sqrt(mean(x²) + epsilon) · weight; one row. out may be x.
  void (*rms_norm)(const float* x, const float* weight, int64_t columns, float epsilon, float* out);
  /// out[i] = silu(gate[i]) · up[i]. out may be gate.
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);
  /// x[i] += y[i].
  void (*add)(float* x, const float* y, int64_t count);
  /// x[i] += factor · y[i].
  void (*add_scaled)(float* x, const float* y, float factor, int64_t count);
  /// Writes count floats as dtype f32, f16, q8_0 or q4_0 (count a multiple of the block).
  void (*store_row)(DType dtype, const float* x, int64_t count, std::byte* out);

  /// Yardsticks for benchmarks. Multiplies int8 in registers as fast as this set can, `rounds` times; returns
  /// the multiplications and additions done.
  int64_t (*multiply_peak)(int64_t rounds);
  /// Reads `words` 64-bit words; returns their sum (so that they are read).
  uint64_t (*read_peak)(const uint64_t* data, size_t words);

  const TrainingKernels* training;  // kernels/training.h
};

/// Outputs are worked on in panels of this many; thread splits fall on multiples of it.
inline constexpr int kOutputPanel = 16;

/// Attention sums this many positions by themselves: part of the arithmetic, whoever computes them.
inline constexpr int64_t kSegmentTokens = 512;

/// Scratch for one thread's call, 64-byte aligned.
size_t matmul_scratch_bytes(int64_t inputs, int64_t rows);
size_t transposed_scratch_bytes();
size_t attention_scratch_bytes(const AttentionShape& shape, int64_t rows);
int64_t attention_partial_floats(const AttentionShape& shape);

enum class InstructionSet { scalar, avx2, avx512 };

/// The best set this processor has, or the asked one: Error(unsupported) when the processor lacks it.
const KernelTable& select_kernels(std::optional<InstructionSet> forced = std::nullopt);
bool is_supported(InstructionSet set);
std::optional<InstructionSet> instruction_set_from_name(std::string_view name);

}  // namespace r1::kernels
