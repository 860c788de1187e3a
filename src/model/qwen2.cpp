// Qwen2 and Qwen2.5: as Llama, with biases on queries, keys and values and half-split rotation in both forms.
// Source: Yang et al., Qwen2 Technical Report (2024).
#include "model/architectures.h"
#include "model/dense_decoder.h"

namespace r1 {
namespace {

class Qwen2 final : public DenseDecoder {
 public:
  explicit Qwen2(const ModelSource& source) : DenseDecoder(source) { bind(source, RopeStyle::half_split); }
};

}  // namespace

std::unique_ptr<Model> load_qwen2(const ModelSource& source) {
  return std::make_unique<Qwen2>(source);
}

}  // namespace r1
