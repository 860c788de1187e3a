// LoRA adapters on disk in PEFT's form: adapter_config.json and adapter_model.safetensors.
// Source: PEFT's documentation of checkpoints; keys base_model.model.MODULE.lora_A.weight [rank, inputs],
// lora_B.weight [outputs, rank] and, with DoRA, lora_magnitude_vector [outputs]; W + (alpha / rank) · B A,
// with rsLoRA alpha / sqrt(rank). A reward model's head is base_model.model.score.weight.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace r1 {

/// What an adapter is, as its files say.
struct AdapterSettings {
  int64_t rank = 16;
  double alpha = 32;
  bool rank_stabilised = false;  // rsLoRA (Kalajdzievski, 2023)
  bool dora = false;             // DoRA (Liu et al., 2024): trained magnitudes of the rows
  double dropout = 0;            // of the run that trained it: share of A's inputs that is zeroed
  std::vector<std::string>
      targets;  // last parts of module names: q_proj, …; empty: every linear layer of a block

  /// The factor of B A.
  double scale() const;
};

inline constexpr const char* kPeftPrefix = "base_model.model.";

/// Reads DIRECTORY/adapter_config.json; targets stay empty. Error(bad_file) and Error(unsupported) name the
/// key that is missing, wrong, or would change the arithmetic in a way that is not done here.
AdapterSettings read_peft_settings(const std::filesystem::path& directory);

/// A float32 tensor of an adapter, by its name without kPeftPrefix. Memory of the caller's.
struct AdapterTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;
};

/// Writes both files, each replaced as a whole; creates the directory. `base_name`: base_model_name_or_path.
void write_peft_files(const std::filesystem::path& directory, const std::string& base_name,
                      const AdapterSettings& settings, std::span<const AdapterTensor> tensors);

}  // namespace r1
