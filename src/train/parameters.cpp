#include "train/parameters.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "tensor/codec.h"

namespace r1 {

Parameter& ParameterStore::add(const std::string& name, const std::vector<int64_t>& shape) {
  if (find(name) != nullptr) throw_error(ErrorKind::invalid_argument, "parameter '{}' is given twice", name);
  Parameter own;
  own.name = name;
  own.shape = shape;
  own.count = 1;
  for (const int64_t side : shape) own.count *= side;
  own.decays = shape.size() > 1;
  const size_t bytes = static_cast<size_t>(own.count) * sizeof(float);
  for (float** place : {&own.values, &own.gradient}) {
    memory_.push_back(allocate_aligned(bytes));
    *place = reinterpret_cast<float*>(memory_.back().get());
    std::memset(*place, 0, bytes);
  }
  gradients_[own.values] = own.gradient;
  parameters_.push_back(std::move(own));
  return parameters_.back();
}

Parameter& ParameterStore::add_copy(const TensorView& tensor) {
  Parameter& own = add(tensor.name, tensor.shape);
  const int64_t columns = tensor.columns();
  const size_t bytes = row_bytes(tensor.dtype, columns);
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    dequantise_matrix_row(tensor.dtype, tensor.data + static_cast<size_t>(row) * bytes, tensor.block_scales,
                          row, columns, 0, {own.values + row * columns, static_cast<size_t>(columns)});
  }
  return own;
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

void ParameterStore::clear_gradients(Context& context) {
  const auto count = static_cast<int64_t>(parameters_.size());
  context.parallel_for(
      count, true, [&](int64_t i, int) { std::fill_n(parameters_[i].gradient, parameters_[i].count, 0.0F); });
}

std::vector<TensorView> ParameterStore::views() const {
  std::vector<TensorView> views;
  for (const Parameter& own : parameters_) {
    views.push_back({own.name, DType::f32, own.shape, reinterpret_cast<const std::byte*>(own.values),
                     static_cast<size_t>(own.count) * sizeof(float), nullptr});
  }
  return views;
}

void put_reward_head(const ParameterStore& store, std::vector<TensorView>& tensors) {
  if (store.find(kRewardHead) == nullptr) return;
  std::erase_if(tensors, [](const TensorView& tensor) { return tensor.name == kRewardHead; });
  for (TensorView& own : store.views()) {
    if (own.name == kRewardHead) tensors.push_back(std::move(own));
  }
}

}  // namespace r1
