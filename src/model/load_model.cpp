// The table of architectures, and what loading does for all of them.
#include <span>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "formats/model_file.h"
#include "model/architectures.h"
#include "model/config_reader.h"

namespace r1 {
namespace {

struct Architecture {
  std::string_view gguf;  // general.architecture
  std::string_view hub;   // model_type of config.json
  std::unique_ptr<Model> (*load)(const std::shared_ptr<const ModelFile>&, const ModelLoadOptions&);
};

constexpr Architecture kArchitectures[] = {
    {"llama", "llama", load_llama},
    {"qwen2", "qwen2", load_qwen2},
    {"deepseek2", "deepseek_v3", load_deepseek_v3},
};

std::string architecture_of(const ModelFile& file) {
  if (const GgufFile* gguf = file.gguf()) return std::string(gguf->require_string("general.architecture"));
  return ConfigReader(file, "").text({"", "model_type"});
}

}  // namespace

std::unique_ptr<Model> load_model(const std::shared_ptr<const ModelFile>& file,
                                  const ModelLoadOptions& options) {
  const std::string name = architecture_of(*file);
  const bool gguf = file->gguf() != nullptr;
  for (const Architecture& architecture : kArchitectures) {
    if ((gguf ? architecture.gguf : architecture.hub) != name) continue;
    using Populate = ModelLoadOptions::Populate;
    ModelLoadOptions decided = options;
    if (options.populate == Populate::automatic) {
      const bool fits = file->total_bytes() < available_memory() / 10 * 9;
      decided.populate = fits ? Populate::always : Populate::never;
    }
    std::unique_ptr<Model> model = architecture.load(file, decided);
    if (decided.populate == Populate::always) file->populate_all();
    return model;
  }
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    known += (known.empty() ? "" : ", ") + std::string(gguf ? architecture.gguf : architecture.hub);
  }
  throw_error(ErrorKind::unsupported, "{}: {}: '{}' is not supported; known: {}", file->path().string(),
              gguf ? "general.architecture" : "model_type", name, known);
}

}  // namespace r1
