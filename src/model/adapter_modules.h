// Names of the linear layers that an adapter may add to, in both forms of model files.
#pragma once

#include <string>

#include "formats/model_file.h"

namespace r1 {

/// The head of a reward model, {1, hidden}: as in Hugging Face's Qwen2ForSequenceClassification.
inline constexpr const char* kRewardHead = "score.weight";

/// The hub name without ".weight" of a tensor that an adapter may add to ("model.layers.0.mlp.up_proj");
/// empty for any other tensor. `file`: a GGUF file's names are translated.
std::string adapter_module_of(const ModelFile& file, const TensorView& tensor);

/// "up_proj" of "model.layers.0.mlp.up_proj": the name that target_modules uses.
std::string last_part(const std::string& module);

}  // namespace r1
