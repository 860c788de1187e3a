// Names of the linear layers that an adapter may add to, in both forms of model files.
#pragma once

#include <cstdint>
#include <string>

#include "formats/model_file.h"

namespace r1 {

/// The head of a reward model, {1, hidden}: as in Hugging Face's Qwen2ForSequenceClassification.
inline constexpr const char* kRewardHead = "score.weight";

/// The hub name without ".weight" of a tensor that an adapter may add to ("model.layers.0.mlp.up_proj");
/// empty for any other tensor. `file`: a GGUF file's names are translated.
std::string adapter_module_of(const ModelFile& file, const TensorView& tensor);

/// The same for a GGUF tensor's name with ".weight": "blk.0.ffn_up.weight".
std::string hub_module_of_gguf(const std::string& tensor_name);
/// The name in a GGUF file of a hub's module; empty where there is none.
std::string gguf_tensor_of(const std::string& module);

/// GGUF files of Llama's kind hold the rows of queries and keys with the two halves of each head interleaved: heads of
/// such a module in `file`, else 0.
int64_t interleaved_heads(const ModelFile& file, const std::string& module);
/// The hub's row for row `row` of a GGUF file, of `rows` in `heads` interleaved heads; `row` itself for 0 heads.
int64_t hub_row(int64_t row, int64_t rows, int64_t heads);

/// "up_proj" of "model.layers.0.mlp.up_proj": the name that target_modules uses.
std::string last_part(const std::string& module);

}  // namespace r1
