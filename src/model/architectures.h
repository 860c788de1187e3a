// The architectures that can be loaded; docs/adding-a-model.md says how to add one.
#pragma once

#include <memory>

#include "model/model.h"

namespace r1 {

std::unique_ptr<Model> load_llama(const std::shared_ptr<const ModelFile>& file,
                                  const ModelLoadOptions& options);
std::unique_ptr<Model> load_qwen2(const std::shared_ptr<const ModelFile>& file,
                                  const ModelLoadOptions& options);
std::unique_ptr<Model> load_deepseek_v3(const std::shared_ptr<const ModelFile>& file,
                                        const ModelLoadOptions& options);

}  // namespace r1
