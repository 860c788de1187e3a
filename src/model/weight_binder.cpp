#include "model/weight_binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

bool holds_floats(DType dtype) {
  switch (dtype) {
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64:
      return false;
    default:
      return true;
  }
}

/// Leading extents of 1 say nothing: some writers give vectors two dimensions.
bool same_extents(std::span<const int64_t> a, std::span<const int64_t> b) {
  while (a.size() > b.size() && a[0] == 1) a = a.subspan(1);
  while (b.size() > a.size() && b[0] == 1) b = b.subspan(1);
  return std::ranges::equal(a, b);
}

std::string describe(const std::vector<int64_t>& shape) {
  return fmt::format("{{{}}}", fmt::join(shape, ", "));
}

}  // namespace

std::string TensorNames::layer(int64_t index, const std::string& gguf, const std::string& hub) const {
  return gguf_ ? fmt::format("blk.{}.{}", index, gguf) : fmt::format("model.layers.{}.{}", index, hub);
}

WeightBinder::WeightBinder(std::shared_ptr<const ModelFile> file) : file_(std::move(file)) {}

const TensorView& WeightBinder::find(const std::string& name) const {
  const TensorView* tensor = file_->find(name);
  if (tensor == nullptr) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}' is missing", file_->path().string(), name);
  }
  return *tensor;
}

const TensorView& WeightBinder::find_weights(const std::string& name, const std::vector<int64_t>& shape,
                                             const std::vector<int64_t>& other_shape) {
  const TensorView& tensor = find(name);
  if (!same_extents(tensor.shape, shape) &&
      (other_shape.empty() || !same_extents(tensor.shape, other_shape))) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected shape {}, found {}", file_->path().string(),
                name, describe(shape), describe(tensor.shape));
  }
  if (!holds_floats(tensor.dtype)) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': expected a type that holds floats, found {}",
                file_->path().string(), name, r1::name(tensor.dtype));
  }
  if (tensor.dtype == DType::f8_e4m3 && tensor.block_scales == nullptr) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}': F8_E4M3 without its block scales ('{}_scale_inv')",
                file_->path().string(), name, name);
  }
  bound_names_.push_back(name);
  elements_ += tensor.elements();
  bytes_ += tensor.bytes;
  return tensor;
}

kernels::WeightMatrix WeightBinder::matrix(const std::string& name, int64_t rows, int64_t columns) {
  const TensorView& tensor = find_weights(name, {rows, columns});
  return {tensor.data, tensor.dtype, rows, columns, row_bytes(tensor.dtype, columns), tensor.block_scales};
}

Linear WeightBinder::linear(const std::string& name, int64_t outputs, int64_t inputs,
                            const std::string& bias) {
  Linear layer{matrix(name, outputs, inputs), nullptr};
  if (!bias.empty()) layer.bias = vector(bias, outputs);
  return layer;
}

const float* WeightBinder::vector(const std::string& name, int64_t count) {
  const TensorView& tensor = find_weights(name, {count});
  const auto address = reinterpret_cast<uintptr_t>(tensor.data);
  if (tensor.dtype == DType::f32 && address % alignof(float) == 0) {
    return reinterpret_cast<const float*>(tensor.data);
  }
  vectors_.push_back(std::make_unique<float[]>(count));
  dequantise_row(tensor.dtype, tensor.data, {vectors_.back().get(), static_cast<size_t>(count)});
  return vectors_.back().get();
}

std::vector<Linear> WeightBinder::stack(const std::string& name, int64_t count, int64_t outputs,
                                        int64_t inputs) {
  const TensorView& tensor = find_weights(name, {count, outputs, inputs}, {count * outputs, inputs});
  if (tensor.block_scales != nullptr) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': block scales of a stack of matrices",
                file_->path().string(), name);
  }
  const size_t bytes = row_bytes(tensor.dtype, inputs);
  std::vector<Linear> layers;
  for (int64_t i = 0; i < count; ++i) {
    const std::byte* data = tensor.data + static_cast<size_t>(i * outputs) * bytes;
    layers.push_back({{data, tensor.dtype, outputs, inputs, bytes, nullptr}, nullptr});
  }
  return layers;
}

}  // namespace r1
