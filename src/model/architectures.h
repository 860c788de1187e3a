// The architectures that can be loaded; docs/adding-a-model.md says how to add one.
#pragma once

#include <memory>

#include "formats/model_config.h"
#include "model/model.h"

namespace r1 {

/// What load_model hands to an architecture.
struct ModelSource {
  std::shared_ptr<const ModelFile> file;
  ModelConfig config;
  ModelLoadOptions options;
};

std::unique_ptr<Model> load_llama(const ModelSource& source);
std::unique_ptr<Model> load_qwen2(const ModelSource& source);
std::unique_ptr<Model> load_qwen3(const ModelSource& source);
std::unique_ptr<Model> load_deepseek_v3(const ModelSource& source);

}  // namespace r1
