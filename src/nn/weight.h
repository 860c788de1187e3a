// Weights as ops see them: values in their stored form, and an identity that does not depend on where they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "tensor/dtype.h"

namespace r1 {

/// Which weight of a model this is: the tensor's index in the model's file (ModelFile::tensors) and, of a
/// stack of matrices in one tensor, the matrix. Copies of a weight (uploaded, decoded, trained in place of
/// the file's) have the id of the original, so that adapters and gradients find them. Tied weights have one
/// id.
struct WeightId {
  int32_t tensor = -1;  // below 0: of no file
  int32_t slice = 0;

  bool is_known() const { return tensor >= 0; }
  bool operator==(const WeightId&) const = default;
};

struct WeightIdHash {
  size_t operator()(const WeightId& id) const {
    return std::hash<int64_t>()(static_cast<int64_t>(id.tensor) << 32 | static_cast<uint32_t>(id.slice));
  }
};

/// A matrix in its stored form: `outputs` rows of `inputs` elements. Memory of the device, not owned.
struct Weight {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  int64_t outputs = 0;
  int64_t inputs = 0;
  size_t row_bytes = 0;                 // from one row to the next
  const float* block_scales = nullptr;  // f8_e4m3 and nf4: see TensorView
  WeightId id;
};

/// A bias or the weights of a norm, in float32. Memory of the device, not owned.
struct WeightVector {
  const float* values = nullptr;  // null: there is none
  WeightId id;

  bool is_present() const { return values != nullptr; }
};

/// y = W x + b.
struct Linear {
  Weight weight;      // {outputs, inputs}
  WeightVector bias;  // [outputs], or none

  int64_t outputs() const { return weight.outputs; }
  int64_t inputs() const { return weight.inputs; }
};

/// Where gradients of trained weights are summed: a float32 gradient of the weight's shape (rows contiguous).
/// Memory of the device, not owned. Weights that are not listed are frozen.
using WeightGradients = std::unordered_map<WeightId, float*, WeightIdHash>;

}  // namespace r1
