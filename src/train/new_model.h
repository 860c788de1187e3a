// A new model with random weights, and writing a trained one as a hub directory.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "text/tokenizer.h"
#include "train/options.h"
#include "train/parameters.h"

namespace r1 {

/// config.json of a Qwen2 model with the options' dimensions. Error(invalid_argument) for impossible ones.
nlohmann::json new_model_config(const TrainingOptions& options, const Tokenizer& tokenizer);

/// Adds all parameters of such a model. Matrices are normal with the options' deviation; those that write to
/// the residual stream are scaled by 1 / sqrt(2 · layers) (Radford et al., GPT-2, 2019); norms are 1, biases
/// 0. A value depends on seed, name and place alone.
void add_new_model(const nlohmann::json& config, const TrainingOptions& options, ParameterStore& store);

/// Writes OUTPUT/config.json, model.safetensors and the tokenizer's files, copied from `tokenizer_folder`.
/// `tensors`: all of the model. type: f32, bf16 or f16; "auto": each as `types` has it.
void write_hub_directory(const std::filesystem::path& output, nlohmann::json config,
                         const std::filesystem::path& tokenizer_folder,
                         const std::vector<TensorView>& tensors, const std::string& type,
                         const ModelFile* types);

}  // namespace r1
