// A decoder whose layers all are grouped-query attention and a gated feed-forward: Llama, Qwen2 and their
// kin. Which biases there are and how heads rotate follows from the settings and the form of the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/architectures.h"
#include "model/decoder.h"
#include "model/gated_feed_forward.h"
#include "model/grouped_query_attention.h"

namespace r1 {

class DenseDecoder : public Decoder {
 public:
  std::vector<KvLayerShape> kv_layers() const override;
  int64_t row_floats() const override;
  AttentionWidths attention_widths() const override;

 protected:
  explicit DenseDecoder(const ModelSource& source) : Decoder(source.file, source.options.placement) {}

  /// Binds all weights. `gguf_style`: how the heads of a GGUF file rotate; those of hub files are half-split.
  void bind(const ModelSource& source, RopeStyle gguf_style);

  void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                 const Activations& normed, KvCache& cache, float* out) const override;
  void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const override;

 private:
  std::vector<GroupedQueryAttention> attention_;
  std::vector<GatedFeedForward> feed_forward_;
};

}  // namespace r1
