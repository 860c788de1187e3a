// Qwen2 and Qwen2.5: as Llama, with biases on queries, keys and values and half-split rotation in both forms.
// Source: Yang et al., Qwen2 Technical Report (2024).
#include "model/architectures.h"
#include "model/dense_decoder.h"

namespace r1 {
namespace {

class Qwen2 final : public DenseDecoder {
 public:
  explicit Qwen2(const std::shared_ptr<const ModelFile>& file) : DenseDecoder(file) {
    const ConfigReader reader(*file, "qwen2");
    const ConfigKey activation{"", "hidden_act"};
    if (!reader.is_gguf()) reader.require_known(activation, reader.text(activation), {"silu"});
    reader.refuse_true({"", "use_sliding_window"});
    bind(reader,
         {.architecture = "qwen2", .query_key_value_bias = true, .gguf_style = RopeStyle::half_split});
  }
};

}  // namespace

std::unique_ptr<Model> load_qwen2(const std::shared_ptr<const ModelFile>& file, const ModelLoadOptions&) {
  return std::make_unique<Qwen2>(file);
}

}  // namespace r1
