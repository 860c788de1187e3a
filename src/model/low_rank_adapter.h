// A LoRA adapter bound to a model's file: for serving, for merging, and as the terms that training changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "model/peft_files.h"
#include "nn/adapter.h"

namespace r1 {

/// Zeroed float32 memory of one tensor.
struct FloatTensor {
  float* values = nullptr;
  float* gradient = nullptr;  // where its gradient is summed; null: it is not trained
};
/// Gives memory for a tensor of this name and shape, which outlives the adapter.
using FloatMemory = std::function<FloatTensor(const std::string& name, const std::vector<int64_t>& shape)>;

/// Const use from several threads is safe.
class LowRankAdapter {
 public:
  /// One linear layer with its terms.
  struct Module {
    std::string name;    // hub name without ".weight"
    std::string tensor;  // the base's tensor
    WeightId weight;     // … as a model bound to the file has it
    int64_t outputs = 0, inputs = 0;
    int64_t interleaved_heads =
        0;  // rows of B are in the file's order, not the hub's (model/adapter_modules.h)
    TensorView base;
    float* a = nullptr;           // [rank, inputs]
    float* b = nullptr;           // [outputs, rank]
    float* magnitude = nullptr;   // [outputs], with DoRA
    float* a_gradient = nullptr;  // null: not trained
    float* b_gradient = nullptr;
    float* magnitude_gradient = nullptr;
    std::vector<float> norms;                       // DoRA: of the rows of W + scale · B A
    std::vector<float> subtracted_a, subtracted_b;  // a second term with the scale -scale (PiSSA), or none
  };

  /// Terms of zeros on the target modules of `file`, which must outlive the adapter. `memory`: where A, B and
  /// magnitudes are kept, asked for module by module as MODULE.lora_A.weight, …; null: the adapter's own.
  /// Throws Error(invalid_argument) for a target that the model does not have.
  static std::unique_ptr<LowRankAdapter> create(const ModelFile& file, const AdapterSettings& settings,
                                                FloatMemory memory = {});

  /// Reads an adapter for the model in `file`: a PEFT directory or a GGUF file (model/stored_adapter.h).
  /// Error(bad_file) and Error(unsupported) name the key or tensor that is missing, unknown, of another shape or of a
  /// kind that is not done here. A reward model's head is asked for as kRewardHead.
  static std::unique_ptr<LowRankAdapter> open(const std::filesystem::path& path, const ModelFile& file,
                                              FloatMemory memory = {});

  /// The terms for a model bound to that file; valid while this object lives.
  const Adapter& adapter() const { return adapter_; }
  Adapter& adapter() { return adapter_; }
  const AdapterSettings& settings() const { return settings_; }
  std::vector<Module>& modules() { return modules_; }
  const std::vector<Module>& modules() const { return modules_; }

  /// After A, B or W changed: computes the norms that DoRA divides by.
  void refresh(Context& context);
  /// Subtracts A and B as they are now, for good: a module whose first A and B are not zero then begins as
  /// the base alone.
  void subtract_present(Module& module);

  /// All tensors of `file`; those with a term as float32 sums in memory asked for by the tensor's name; a
  /// reward model's head where the adapter has one.
  std::vector<TensorView> merged(const ModelFile& file, const FloatMemory& memory) const;

 private:
  LowRankAdapter() = default;
  void add_module(const ModelFile& file, const TensorView& tensor, const std::string& name);
  void add_terms(size_t index);

  AdapterSettings settings_;
  FloatMemory memory_;
  std::vector<AlignedBytes> host_memory_;
  std::vector<Module> modules_;
  const float* reward_head_ = nullptr;
  std::vector<int64_t> reward_head_shape_;
  Adapter adapter_;
};

}  // namespace r1
