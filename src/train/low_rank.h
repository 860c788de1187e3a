// LoRA adapters: made for training, read from and written as PEFT directories (adapter_config.json,
// adapter_model.safetensors), merged into weights.
// Source of the format: PEFT's documentation of checkpoints; keys base_model.model.MODULE.lora_A.weight
// [rank, inputs], lora_B.weight [outputs, rank] and, with DoRA, lora_magnitude_vector [outputs];
// W + (alpha / rank) · B A, with rsLoRA alpha / sqrt(rank). A reward model's head is
// base_model.model.score.weight.
//
// PiSSA (Meng et al., 2024): A and B begin as the principal part of W, W = W' + scale · B A. The base stays
// as it is: the first A and B are subtracted instead, and the file has both, as an ordinary adapter of twice
// the rank (PEFT's conversion of PiSSA to LoRA).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "model/decoder.h"
#include "nn/adapter.h"
#include "train/options.h"
#include "train/parameters.h"

namespace r1 {

class LowRankAdapter {
 public:
  /// New terms on the target modules of `file`: A uniform in ±1 / sqrt(inputs), B zero, so that the adapter
  /// changes nothing yet. Throws Error(invalid_argument) for a target that the model does not have.
  static std::unique_ptr<LowRankAdapter> create(const ModelFile& file, const LowRankOptions& options);

  /// Reads a PEFT directory for the model in `file`. Error(bad_file) and Error(unsupported) name the key or
  /// tensor that is missing, unknown, of another shape or of a kind that is not done here.
  static std::unique_ptr<LowRankAdapter> open(const std::filesystem::path& directory, const ModelFile& file,
                                              double plus_ratio = 1);

  /// Writes a PEFT directory.
  void write(const std::filesystem::path& directory, const std::string& base_name) const;

  /// The terms for a model bound to that file; valid while this object lives.
  const Adapter& adapter() const { return adapter_; }
  Adapter& adapter() { return adapter_; }
  /// After A, B or W changed: computes what the terms know of them (DoRA's norms).
  void refresh(Context& context);
  /// A and B of every module; a reward model's head where one was read or is added.
  ParameterStore& parameters() { return parameters_; }
  const LowRankOptions& options() const { return options_; }
  /// Of a run that goes on with it: what its files say from now on.
  void set_dropout(double share) { options_.dropout = share; }

  /// All tensors of `file`, those with a term as float32 sums in memory that `store` gets, and a reward
  /// model's head as it is here.
  std::vector<TensorView> merged(const ModelFile& file, ParameterStore& store) const;

 private:
  struct Module {
    std::string name;    // hub name without ".weight"
    std::string tensor;  // the base's tensor
    int64_t outputs = 0, inputs = 0;
    TensorView base;
    size_t a = 0, b = 0, magnitude = 0;   // in parameters_; magnitude with DoRA
    std::vector<float> norms;             // DoRA: of the rows of W + scale · B A
    std::vector<float> first_a, first_b;  // PiSSA: as they began; subtracted
  };
  LowRankAdapter() = default;
  void add_module(const ModelFile& file, const TensorView& tensor, const std::string& name);
  void bind();
  void begin_as_principal_part(Context& context, Module& module);
  std::vector<float> decoded(const Module& module) const;
  double scale() const;

  LowRankOptions options_;
  ParameterStore parameters_;
  std::vector<Module> modules_;
  Adapter adapter_;
};

}  // namespace r1
