// Qwen3, and R1-0528 distilled into it: as Qwen2 without biases, with a norm of each head's queries and keys
// and heads whose width is apart from the hidden one.
// Source: Yang et al., Qwen3 Technical Report (2025).
#include "model/architectures.h"
#include "model/dense_decoder.h"

namespace r1 {
namespace {

class Qwen3 final : public DenseDecoder {
 public:
  explicit Qwen3(const ModelSource& source) : DenseDecoder(source) { bind(source, RopeStyle::half_split); }
};

}  // namespace

std::unique_ptr<Model> load_qwen3(const ModelSource& source) {
  return std::make_unique<Qwen3>(source);
}

}  // namespace r1
