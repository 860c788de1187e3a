// NF4 with double quantisation: four bits a weight, the 16 values being quantiles of a normal distribution.
// Source: Dettmers et al., QLoRA (2023), section 3 and appendix E; the numbers are those of bitsandbytes.
//
// A matrix is cut into blocks of 64 weights of a row. A weight is a value of the table times its block's
// largest absolute value. Those, less their mean over the matrix, are themselves stored in the dynamic 8-bit
// type in super-blocks of 256 blocks (in the order of the matrix, rows end to end) with a float32 scale each.
//   block: 1 byte (the code of its scale), 32 bytes (weights, the first of two in the high bits)
//   scales: {mean, scale of super-block 0, of super-block 1, …}
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace r1 {

inline constexpr int64_t kNf4Block = 64;
inline constexpr int64_t kNf4BlockBytes = 33;
inline constexpr int64_t kNf4SuperBlock = 256;  // blocks

/// The table, ascending.
std::span<const float, 16> nf4_values();

/// Floats of `scales` for a matrix; columns is a multiple of 64.
int64_t nf4_scale_count(int64_t rows, int64_t columns);

/// Writes a matrix. read(row, out) gives a row's values and is called twice for each; `largest` is scratch of
/// rows · columns / 64 floats. Error(invalid_argument) for a value that is not finite.
void quantise_nf4(int64_t rows, int64_t columns, const std::function<void(int64_t, std::span<float>)>& read,
                  std::span<float> largest, std::byte* data, float* scales);

/// The largest absolute values that scale the blocks from number `first_block` of the matrix on, one for each
/// of scales_out.
void nf4_block_scales(const std::byte* blocks, int64_t first_block, const float* scales,
                      std::span<float> scales_out);

/// Decodes values.size() weights, whole blocks; the first is the matrix's block number `first_block`.
void dequantise_nf4(const std::byte* blocks, int64_t first_block, const float* scales,
                    std::span<float> values);

}  // namespace r1
