// A stored tensor: bytes owned by someone else (a mapped file, a buffer), with type and shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace r1 {

/// Rows are contiguous, outermost dimension first: a linear layer's weight is {outputs, inputs}, a stack of
/// experts {experts, outputs, inputs}. (GGUF writes dimensions innermost first; its reader turns them round.)
/// Quantised blocks run along the last dimension.
struct TensorView {
  std::string name;  // as in the file
  DType dtype = DType::f32;
  std::vector<int64_t> shape;       // outermost first; empty: a scalar
  const std::byte* data = nullptr;  // not owned
  size_t bytes = 0;

  /// Not owned. For f8_e4m3: one float32 factor for each block of 128 × 128 weights, {ceil(outputs/128),
  /// ceil(inputs/128)} row-major (DeepSeek-V3's `weight_scale_inv`). For nf4: tensor/nf4.h's scales.
  const float* block_scales = nullptr;

  int64_t elements() const {
    int64_t product = 1;
    for (int64_t dimension : shape) product *= dimension;
    return product;
  }
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return columns() == 0 ? 0 : elements() / columns(); }
};

}  // namespace r1
