// A new model with random weights, and writing a trained one as a hub directory.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "base/boxed_json.h"
#include "text/tokenizer.h"
#include "train/options.h"
#include "train/parameters.h"

namespace r1 {

/// config.json of a Qwen2 model with the options' dimensions. Error(invalid_argument) for impossible ones.
nlohmann::json new_model_config(const NewModelOptions& options, const Tokenizer& tokenizer);

/// Adds all parameters of such a model. Matrices are normal with the options' deviation; those that write to
/// the residual stream are scaled by 1 / sqrt(2 · layers) (Radford et al., GPT-2, 2019); norms are 1, biases
/// 0. A value depends on seed, name and place alone.
void add_new_model(const nlohmann::json& config, const NewModelOptions& options, uint64_t seed,
                   ParameterStore& store);

/// What a written model has besides its weights.
struct HubDescription {
  BoxedJson<nlohmann::json> config;
  std::filesystem::path tokenizer_folder;  // its files are copied
  std::vector<int32_t> ends;               // tokens that end an answer: generation_config.json names them
  std::string chat_template;               // in place of the folder's; empty: that one
};

/// Writes OUTPUT/model.safetensors, config.json, generation_config.json and the tokenizer's files, and removes an index
/// of shards, which would be read instead. `tensors`: all of the model. SaveType::automatic: each as `types` has it.
void write_hub_directory(const std::filesystem::path& output, const HubDescription& description,
                         const std::vector<TensorView>& tensors, SaveType type, const ModelFile* types);

}  // namespace r1
