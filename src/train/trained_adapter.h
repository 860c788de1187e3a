// LoRA adapters in training: made from options or read from files, their parameters with gradients, written
// as PEFT directories.
//
// PiSSA (Meng et al., 2024): A and B begin as the principal part of W, W = W' + scale · B A. The base stays
// as it is: the first A and B are subtracted instead, and the file has both, as an ordinary adapter of twice
// the rank (PEFT's conversion of PiSSA to LoRA).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/low_rank_adapter.h"
#include "train/options.h"
#include "train/parameters.h"

namespace r1 {

class TrainedAdapter {
 public:
  /// New terms on the target modules of `file`: A uniform in ±1 / sqrt(inputs), B zero, so that the adapter
  /// changes nothing yet. Throws Error(invalid_argument) for a target that the model does not have.
  static std::unique_ptr<TrainedAdapter> create(const ModelFile& file, const LowRankOptions& options);

  /// Reads a PEFT directory or a GGUF adapter for the model in `file`: errors are those of LowRankAdapter::open.
  static std::unique_ptr<TrainedAdapter> open(const std::filesystem::path& directory, const ModelFile& file,
                                              double plus_ratio = 1);

  /// Writes a PEFT directory; for a base in GGUF form also adapter.gguf, llama.cpp's form (not of DoRA and of reward
  /// models, which it does not have).
  void write(const std::filesystem::path& directory, const std::string& base_name) const;

  /// The terms for a model bound to that file; valid while this object lives.
  const Adapter& adapter() const { return terms_->adapter(); }
  Adapter& adapter() { return terms_->adapter(); }
  /// After A, B or W changed: computes the norms that DoRA divides by.
  void refresh(Context& context) { terms_->refresh(context); }
  /// A and B of every module; a reward model's head where one was read or is added.
  ParameterStore& parameters() { return parameters_; }
  const LowRankOptions& options() const { return options_; }
  /// Of a run that continues it: what its files say from now on.
  void set_dropout(double share) { options_.dropout = share; }

  /// All tensors of `file`, those with a term as float32 sums in memory that `store` gets.
  std::vector<TensorView> merged(const ModelFile& file, ParameterStore& store) const;

 private:
  TrainedAdapter() = default;
  FloatMemory memory();
  void begin_as_principal_part(Context& context, LowRankAdapter::Module& module);

  LowRankOptions options_;
  ParameterStore parameters_;
  std::unique_ptr<LowRankAdapter> terms_;
  std::string gguf_architecture_;  // of a base in GGUF form
};

}  // namespace r1
