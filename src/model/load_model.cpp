// The table of architectures, and what loading does for all of them.
#include <algorithm>
#include <iterator>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "formats/model_file.h"
#include "model/architectures.h"

namespace r1 {
namespace {

struct Architecture {
  std::string_view name;  // ModelConfig::architecture
  std::unique_ptr<Model> (*load)(const ModelSource&);
};

constexpr Architecture kArchitectures[] = {
    {"llama", load_llama},
    {"qwen2", load_qwen2},
    {"qwen3", load_qwen3},
    {"deepseek2", load_deepseek_v3},
};

}  // namespace

const Placement& Model::placement() const {
  static const Placement kOnTheHost;
  return kOnTheHost;
}

void Model::hidden_states(Context&, const Batch&, KvCache&, float*) const {
  throw_error(ErrorKind::unsupported, "{}: a model without hidden states", info().architecture);
}

std::unique_ptr<Model> load_model(const std::shared_ptr<const ModelFile>& file,
                                  const ModelLoadOptions& options) {
  ModelSource source{file, read_model_config(*file), options};
  const auto architecture = std::ranges::find(kArchitectures, source.config.architecture,
                                              &Architecture::name);  // read_model_config knows the same ones
  using Populate = ModelLoadOptions::Populate;
  if (options.populate == Populate::automatic) {
    const bool fits = file->total_bytes() < available_memory() / 10 * 9;
    source.options.populate = fits ? Populate::always : Populate::never;
  }
  if (options.remark) {
    for (const std::string& remark : file->remarks()) options.remark(remark);
    for (const std::string& remark : source.config.remarks) options.remark(remark);
  }
  std::unique_ptr<Model> model = architecture->load(source);
  if (source.options.populate == Populate::always) file->populate_all();
  return model;
}

}  // namespace r1
