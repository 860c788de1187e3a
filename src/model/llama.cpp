// Llama 2 and 3: grouped-query attention, gated feed-forward, no biases.
// Source: Touvron et al., Llama 2 (2023); Grattafiori et al., The Llama 3 Herd of Models (2024).
#include "base/error.h"
#include "model/architectures.h"
#include "model/dense_decoder.h"

namespace r1 {
namespace {

class Llama final : public DenseDecoder {
 public:
  explicit Llama(const std::shared_ptr<const ModelFile>& file) : DenseDecoder(file) {
    const ConfigReader reader(*file, "llama");
    refuse_what_is_not_supported(reader);
    // GGUF files hold the query and key rows in another order, made for neighbouring pairs.
    bind(reader,
         {.architecture = "llama", .query_key_value_bias = false, .gguf_style = RopeStyle::interleaved});
  }

 private:
  static void refuse_what_is_not_supported(const ConfigReader& reader) {
    const ConfigKey activation{"", "hidden_act"};
    if (!reader.is_gguf()) reader.require_known(activation, reader.text(activation), {"silu"});
    reader.refuse_true({"", "attention_bias"});
    reader.refuse_true({"", "mlp_bias"});
    const ConfigKey experts{"expert_count", "num_local_experts"};
    if (reader.find_integer(experts, 0, kMostExperts).value_or(0) != 0) {
      throw_error(ErrorKind::unsupported, "{}: experts are not supported in a llama model; known: 0",
                  reader.where(experts));
    }
  }
};

}  // namespace

std::unique_ptr<Model> load_llama(const std::shared_ptr<const ModelFile>& file, const ModelLoadOptions&) {
  return std::make_unique<Llama>(file);
}

}  // namespace r1
