#include "model/weight_binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "tensor/codec.h"
#include "tensor/nf4.h"

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

constexpr int64_t kOutputUnit = 16;  // of a part's outputs: panels of kernels
constexpr int64_t kInputUnit = 32;   // … and of its inputs: groups of rounded activations

// Bytes of TensorView::block_scales.
size_t block_scale_bytes(DType dtype, int64_t rows, int64_t columns) {
  constexpr int64_t kBlock = 128;  // of f8_e4m3, both ways
  const int64_t count = dtype == DType::nf4
                            ? nf4_scale_count(rows, columns)
                            : ((rows + kBlock - 1) / kBlock) * ((columns + kBlock - 1) / kBlock);
  return static_cast<size_t>(count) * sizeof(float);
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

WeightId weight_id(const ModelFile& file, const std::string& tensor, int64_t slice) {
  const TensorView* found = file.find(tensor);
  if (found == nullptr) return {};
  return {static_cast<int32_t>(found - file.tensors().data()), static_cast<int32_t>(slice)};
}

std::string TensorNames::layer(int64_t index, const std::string& gguf, const std::string& hub) const {
  return gguf_ ? fmt::format("blk.{}.{}", index, gguf) : fmt::format("model.layers.{}.{}", index, hub);
}

WeightBinder::WeightBinder(std::shared_ptr<const ModelFile> file, const Placement& placement, Part part)
    : file_(std::move(file)), placement_(placement), part_(part), memory_(placement_.ends) {}

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

// Tied weights are bound twice, but copied once.
const std::byte* WeightBinder::place(const std::byte* data, size_t bytes) {
  if (placed_on_ != memory_) placed_.clear();
  placed_on_ = memory_;
  const auto found = placed_.find(data);
  if (found != placed_.end()) return found->second;
  DeviceBytes copy;
  const std::byte* placed = memory_->place(data, bytes, copy);
  if (copy.get() != nullptr) copies_.push_back(std::move(copy));
  placed_[data] = placed;
  return placed;
}

Weight WeightBinder::matrix(const std::string& name, int64_t rows, int64_t columns) {
  const TensorView& tensor = find_weights(name, {rows, columns});
  Weight weight;
  weight.dtype = tensor.dtype;
  weight.outputs = rows;
  weight.inputs = columns;
  weight.row_bytes = row_bytes(tensor.dtype, columns);
  weight.data = place(tensor.data, static_cast<size_t>(rows) * weight.row_bytes);
  weight.id = weight_id(*file_, name);
  if (tensor.block_scales != nullptr) {
    const size_t scales = block_scale_bytes(tensor.dtype, rows, columns);
    weight.block_scales = reinterpret_cast<const float*>(
        place(reinterpret_cast<const std::byte*>(tensor.block_scales), scales));
  }
  return weight;
}

void WeightBinder::divide(const std::string& name, Split split, Weight& weight) const {
  if (split == Split::none || part_.count == 1) return;
  int64_t& size = split == Split::outputs ? weight.outputs : weight.inputs;
  // Rows begin where kernels may begin; columns where a block does.
  const int64_t unit = split == Split::outputs
                           ? kOutputUnit
                           : std::max<int64_t>(info(weight.dtype).block_elements, kInputUnit);
  if (weight.block_scales != nullptr) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': {} with block scales cannot be divided",
                file_->path().string(), name, r1::name(weight.dtype));
  }
  if (size % (part_.count * unit) != 0) {
    throw_error(ErrorKind::unsupported,
                "{}: tensor '{}': {} {} cannot be divided into {} parts of a multiple of {}",
                file_->path().string(), name, size, split == Split::outputs ? "outputs" : "inputs",
                part_.count, unit);
  }
  size /= part_.count;
  weight.data += split == Split::outputs ? static_cast<size_t>(part_.index * size) * weight.row_bytes
                                         : static_cast<size_t>(part_.index) * row_bytes(weight.dtype, size);
}

Linear WeightBinder::linear(const std::string& name, int64_t outputs, int64_t inputs, const std::string& bias,
                            Split split) {
  Linear layer{matrix(name, outputs, inputs), {}};
  divide(name, split, layer.weight);
  // Results of parts of the inputs add up: the bias is in one of them.
  if (bias.empty() || (split == Split::inputs && part_.index > 0)) return layer;
  layer.bias = vector(bias, outputs);
  if (split == Split::outputs) layer.bias.values += part_.index * layer.weight.outputs;
  return layer;
}

std::vector<float> WeightBinder::host_vector(const std::string& name, int64_t count) {
  const TensorView& tensor = find_weights(name, {count});
  std::vector<float> values(static_cast<size_t>(count));
  dequantise_row(tensor.dtype, tensor.data, values);
  return values;
}

WeightVector WeightBinder::vector(const std::string& name, int64_t count) {
  const TensorView& tensor = find_weights(name, {count});
  const auto* values = reinterpret_cast<const float*>(tensor.data);
  if (tensor.dtype != DType::f32 || reinterpret_cast<uintptr_t>(tensor.data) % alignof(float) != 0) {
    vectors_.push_back(std::make_unique<float[]>(count));
    dequantise_row(tensor.dtype, tensor.data, {vectors_.back().get(), static_cast<size_t>(count)});
    values = vectors_.back().get();
  }
  const std::byte* placed =
      place(reinterpret_cast<const std::byte*>(values), static_cast<size_t>(count) * sizeof(float));
  return {reinterpret_cast<const float*>(placed), weight_id(*file_, name)};
}

std::vector<Linear> WeightBinder::stack(const std::string& name, int64_t count, int64_t outputs,
                                        int64_t inputs) {
  const TensorView& tensor = find_weights(name, {count, outputs, inputs}, {count * outputs, inputs});
  if (tensor.block_scales != nullptr) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': block scales of a stack of matrices",
                file_->path().string(), name);
  }
  const size_t bytes = row_bytes(tensor.dtype, inputs);
  const std::byte* data = place(tensor.data, static_cast<size_t>(count * outputs) * bytes);
  std::vector<Linear> layers;
  for (int64_t i = 0; i < count; ++i) {
    Linear& layer = layers.emplace_back();
    layer.weight = {data + static_cast<size_t>(i * outputs) * bytes,
                    tensor.dtype,
                    outputs,
                    inputs,
                    bytes,
                    nullptr,
                    weight_id(*file_, name, i)};
  }
  return layers;
}

}  // namespace r1
