// A decoder whose layers all are grouped-query attention and a gated feed-forward: Llama, Qwen2 and their
// kin. An architecture's file says what it refuses, which biases there are and how heads rotate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/decoder.h"

namespace r1 {

class DenseDecoder : public Decoder {
 public:
  std::vector<KvLayerShape> kv_layers() const override;
  int64_t row_floats() const override;
  AttentionWidths attention_widths() const override;

 protected:
  struct Traits {
    std::string architecture;  // as in GGUF: the prefix of its keys
    bool query_key_value_bias = false;
    RopeStyle gguf_style = RopeStyle::half_split;  // hub files: always half_split
  };

  explicit DenseDecoder(const std::shared_ptr<const ModelFile>& file) : Decoder(file) {}

  /// Reads sizes and rope from `reader` and binds all weights.
  void bind(const ConfigReader& reader, const Traits& traits);

  WantedForms attention_forms(const Context& context, int64_t layer) const override;
  WantedForms feed_forward_forms(const Context& context, int64_t layer) const override;
  void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                 const Activations& normed, KvCache& cache, float* out) const override;
  void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const override;

 private:
  std::vector<GroupedQueryAttention> attention_;
  std::vector<GatedFeedForward> feed_forward_;
};

}  // namespace r1
