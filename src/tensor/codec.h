// The plain reference codecs of every stored type: what the bytes mean, one row at a time. The kernels'
// fast versions are tested against these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace r1 {

/// Decodes `values.size()` elements (a multiple of the block) from `source`, bit-exactly as ggml's reference
/// does. Throws Error(unsupported) for a type that holds no floats (i8 … i64).
void dequantise_row(DType dtype, const std::byte* source, std::span<float> values);

/// Decodes values.size() elements of row `row` of a matrix of `columns`, from column `begin` on (both whole
/// blocks), with the matrix's block scales where the type has them (TensorView::block_scales). `source`: the
/// row's first byte.
void dequantise_matrix_row(DType dtype, const std::byte* source, const float* scales, int64_t row,
                           int64_t columns, int64_t begin, std::span<float> values);

/// True when quantise_row can write the type.
bool can_quantise(DType dtype);

/// Encodes values.size() elements (a multiple of the block) into row_bytes(dtype, values.size()) bytes.
/// `importance`: one non-negative weight for each element that scales its squared error, or empty: then
/// sqrt(mean square of the row + x²) for element x, so that large elements count somewhat more.
/// Throws Error(unsupported) for a type with no encoder, Error(invalid_argument) for a value that is not
/// finite or too large for the type.
void quantise_row(DType dtype, std::span<const float> values, std::byte* target,
                  std::span<const float> importance = {});

}  // namespace r1
