// The weights that are trained: float32 memory with a gradient beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"
#include "model/adapter_modules.h"
#include "model/decoder.h"
#include "nn/context.h"
#include "nn/weight.h"

namespace r1 {

struct Parameter {
  std::string name;            // the tensor's name in the model file
  std::vector<int64_t> shape;  // {outputs, inputs} or {count}
  int64_t count = 0;
  float* values = nullptr;    // [count]
  float* gradient = nullptr;  // [count]: sum over the micro-batches of a step
  bool decays = false;        // weight decay applies: matrices yes, norms and biases no
  double rate_factor = 1;     // multiplies the learning rate (LoRA+)
};

/// Owns the memory of all parameters; addresses stay as they are. One thread.
class ParameterStore {
 public:
  ParameterStore() = default;
  ParameterStore(const ParameterStore&) = delete;

  /// All zeros. Throws Error(invalid_argument) for a name given twice.
  Parameter& add(const std::string& name, const std::vector<int64_t>& shape);
  /// A copy of a stored tensor of any type, decoded.
  Parameter& add_copy(const TensorView& tensor);

  std::vector<Parameter>& all() { return parameters_; }
  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter* find(std::string_view name) const;
  int64_t elements() const;

  /// The gradients of those parameters that are tensors of the model, for Tape.
  WeightGradients gradients(const Decoder& model) const;
  void clear_gradients(Context& context);

  /// The values as tensors, to be bound in place of a file's (ModelFile::with_tensors).
  std::vector<TensorView> views() const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<AlignedBytes> memory_;
};

/// Puts the store's reward head among a model's tensors, in place of one that they have; nothing where the
/// store has none.
void put_reward_head(const ParameterStore& store, std::vector<TensorView>& tensors);

}  // namespace r1
