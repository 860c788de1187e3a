// Llama 2 and 3, and Mistral, whose GGUF files are Llama's: grouped-query attention and a gated feed-forward.
// Source: Touvron et al., Llama 2 (2023); Grattafiori et al., The Llama 3 Herd of Models (2024); Jiang et
// al., Mistral 7B (2023).
#include "model/architectures.h"
#include "model/dense_decoder.h"

namespace r1 {
namespace {

class Llama final : public DenseDecoder {
 public:
  explicit Llama(const ModelSource& source) : DenseDecoder(source) {
    // GGUF files hold the query and key rows in another order, made for neighbouring pairs.
    bind(source, RopeStyle::interleaved);
  }
};

}  // namespace

std::unique_ptr<Model> load_llama(const ModelSource& source) {
  return std::make_unique<Llama>(source);
}

}  // namespace r1
