// A LoRA adapter's files, read: PEFT's directory (model/peft_files.h) or llama.cpp's GGUF file, with its tensors by the
// names of the hub.
// Source of the GGUF form: llama.cpp, convert_lora_to_gguf.py: general.type "adapter", adapter.type "lora",
// adapter.lora.alpha; tensors NAME.lora_a [rank, inputs] and NAME.lora_b [outputs, rank], NAME being the base's; the term
// is scaled by alpha / rank. Rows of lora_b are in the order of the base's GGUF file.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/peft_files.h"
#include "tensor/tensor_view.h"

namespace r1 {

/// Const after opening; keeps the files mapped.
class StoredAdapter {
 public:
  /// `path`: a directory of PEFT's, or a GGUF file. Error(bad_file) and Error(unsupported) name what is missing, damaged
  /// or of a kind that is not done here.
  static StoredAdapter open(const std::filesystem::path& path);

  /// First words of messages about the tensors.
  const std::string& name() const { return name_; }
  const AdapterSettings& settings() const { return settings_; }
  /// By name: MODULE.lora_A.weight, MODULE.lora_B.weight, MODULE.lora_magnitude_vector, score.weight; what is none of
  /// these keeps its own.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// Rows of outputs are in the order of GGUF's files (hub_row), not the hub's.
  bool has_gguf_rows() const { return gguf_ != nullptr; }

 private:
  StoredAdapter() = default;
  void read_peft(const std::filesystem::path& directory);
  void read_gguf(const std::filesystem::path& file);

  std::string name_;
  AdapterSettings settings_;
  std::map<std::string, TensorView> tensors_;
  std::shared_ptr<const SafetensorsFile> safetensors_;
  std::shared_ptr<const GgufFile> gguf_;
};

}  // namespace r1
