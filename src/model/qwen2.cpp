// Qwen2 and Qwen2.5: as Llama, with biases on queries, keys and values and half-split rotation in both forms.
// Source: Yang et al., Qwen2 Technical Report (2024).
#include "base/error.h"
#include "model/architectures.h"
#include "model/decoder.h"
#include "model/rope_config.h"

namespace r1 {
namespace {

class Qwen2 final : public Decoder {
 public:
  explicit Qwen2(const std::shared_ptr<const ModelFile>& file) : Decoder(file) {
    const ConfigReader reader(*file, "qwen2");
    refuse_what_is_not_supported(reader);
    const int64_t layers = reader.integer({"block_count", "num_hidden_layers"}, 1, kMostLayers);
    const int64_t hidden = reader.integer({"embedding_length", "hidden_size"}, 1, kMostWidth);
    const int64_t middle = reader.integer({"feed_forward_length", "intermediate_size"}, 1, kMostWidth);
    const AttentionDimensions dimensions = read_attention_dimensions(reader, hidden);
    rope_ = rope_frequencies_with_magnitude(read_rope_config(reader), dimensions.head_columns);
    bind_head(reader, "qwen2", layers, hidden);
    for (int64_t layer = 0; layer < layers; ++layer) bind_layer(layer, dimensions, hidden, middle);
    finish_info(0, 0);
  }

  std::vector<KvLayerShape> kv_layers() const override {
    const GroupedQueryAttention& first = attention_[0];
    return std::vector<KvLayerShape>(attention_.size(),
                                     {first.key_value_heads, first.head_columns, first.head_columns});
  }

 protected:
  WantedForms attention_forms(const Context& context, int64_t layer) const override {
    return attention_[layer].forms(context);
  }
  WantedForms feed_forward_forms(const Context& context, int64_t layer) const override {
    return feed_forward_[layer].forms(context);
  }
  void attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                 const Activations& normed, KvCache& cache, float* out) const override {
    attention_[layer].run(context, layer, plan, active, normed, cache, out);
  }
  void feed_forward(Context& context, int64_t layer, const Activations& normed, float* out) const override {
    feed_forward_[layer].run(context, normed, out);
  }

 private:
  static void refuse_what_is_not_supported(const ConfigReader& reader) {
    const ConfigKey activation{"", "hidden_act"};
    if (!reader.is_gguf()) reader.require_known(activation, reader.text(activation), {"silu"});
    reader.refuse_true({"", "use_sliding_window"});
  }

  void bind_layer(int64_t layer, const AttentionDimensions& dimensions, int64_t hidden, int64_t middle) {
    const TensorNames names(binder_.file());
    const int64_t query = dimensions.heads * dimensions.head_columns;
    const int64_t key = dimensions.key_value_heads * dimensions.head_columns;
    auto biased = [&](const std::string& gguf, const std::string& hub, int64_t outputs) {
      return binder_.linear(names.layer(layer, gguf + ".weight", hub + ".weight"), outputs, hidden,
                            names.layer(layer, gguf + ".bias", hub + ".bias"));
    };
    GroupedQueryAttention& own = attention_.emplace_back();
    own.query = biased("attn_q", "self_attn.q_proj", query);
    own.key = biased("attn_k", "self_attn.k_proj", key);
    own.value = biased("attn_v", "self_attn.v_proj", key);
    own.output =
        binder_.linear(names.layer(layer, "attn_output.weight", "self_attn.o_proj.weight"), hidden, query);
    own.heads = dimensions.heads;
    own.key_value_heads = dimensions.key_value_heads;
    own.head_columns = dimensions.head_columns;
    own.style = RopeStyle::half_split;
    feed_forward_.push_back(
        {binder_.linear(names.layer(layer, "ffn_gate.weight", "mlp.gate_proj.weight"), middle, hidden),
         binder_.linear(names.layer(layer, "ffn_up.weight", "mlp.up_proj.weight"), middle, hidden),
         binder_.linear(names.layer(layer, "ffn_down.weight", "mlp.down_proj.weight"), hidden, middle)});
  }

  std::vector<GroupedQueryAttention> attention_;
  std::vector<GatedFeedForward> feed_forward_;
};

}  // namespace

std::unique_ptr<Model> load_qwen2(const std::shared_ptr<const ModelFile>& file, const ModelLoadOptions&) {
  return std::make_unique<Qwen2>(file);
}

}  // namespace r1
