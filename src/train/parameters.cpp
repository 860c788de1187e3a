#include "train/parameters.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "tensor/codec.h"

namespace r1 {

Parameter& ParameterStore::add(const std::string& name, const std::vector<int64_t>& shape) {
  if (find(name) != nullptr) throw_error(ErrorKind::invalid_argument, "parameter '{}' is given twice", name);
  Parameter parameter;
  parameter.name = name;
  parameter.shape = shape;
  parameter.count = 1;
  for (const int64_t side : shape) parameter.count *= side;
  parameter.decays = shape.size() > 1;
  const size_t bytes = static_cast<size_t>(parameter.count) * sizeof(float);
  for (float** place : {&parameter.values, &parameter.gradient}) {
    memory_.push_back(allocate_aligned(bytes));
    *place = reinterpret_cast<float*>(memory_.back().get());
    std::memset(*place, 0, bytes);
  }
  parameters_.push_back(std::move(parameter));
  return parameters_.back();
}

Parameter& ParameterStore::add_copy(const TensorView& tensor) {
  Parameter& parameter = add(tensor.name, tensor.shape);
  const int64_t columns = tensor.columns();
  const size_t bytes = row_bytes(tensor.dtype, columns);
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    dequantise_matrix_row(tensor.dtype, tensor.data + static_cast<size_t>(row) * bytes, tensor.block_scales,
                          row, columns, 0, {parameter.values + row * columns, static_cast<size_t>(columns)});
  }
  return parameter;
}

const Parameter* ParameterStore::find(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

int64_t ParameterStore::elements() const {
  int64_t sum = 0;
  for (const Parameter& parameter : parameters_) sum += parameter.count;
  return sum;
}

WeightGradients ParameterStore::gradients(const Decoder& model) const {
  WeightGradients gradients;
  for (const Parameter& parameter : parameters_) {
    const WeightId id = weight_id(model.file(), parameter.name);
    if (id.is_known()) gradients[id] = parameter.gradient;
  }
  return gradients;
}

void ParameterStore::clear_gradients(Context& context) {
  const auto count = static_cast<int64_t>(parameters_.size());
  context.parallel_for(
      count, true, [&](int64_t i, int) { std::fill_n(parameters_[i].gradient, parameters_[i].count, 0.0F); });
}

std::vector<TensorView> ParameterStore::views() const {
  std::vector<TensorView> views;
  for (const Parameter& parameter : parameters_) {
    views.push_back({parameter.name, DType::f32, parameter.shape,
                     reinterpret_cast<const std::byte*>(parameter.values),
                     static_cast<size_t>(parameter.count) * sizeof(float), nullptr});
  }
  return views;
}

void put_reward_head(const ParameterStore& store, std::vector<TensorView>& tensors) {
  if (store.find(kRewardHead) == nullptr) return;
  std::erase_if(tensors, [](const TensorView& tensor) { return tensor.name == kRewardHead; });
  for (TensorView& view : store.views()) {
    if (view.name == kRewardHead) tensors.push_back(std::move(view));
  }
}

}  // namespace r1
