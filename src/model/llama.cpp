// Llama 2 and 3: grouped-query attention, gated feed-forward, no biases.
// Source: Touvron et al., Llama 2 (2023); Grattafiori et al., The Llama 3 Herd of Models (2024).
#include "base/error.h"
#include "model/architectures.h"
#include "model/decoder.h"
#include "model/rope_config.h"

namespace r1 {
namespace {

class Llama final : public Decoder {
 public:
  explicit Llama(const std::shared_ptr<const ModelFile>& file) : Decoder(file) {
    const ConfigReader reader(*file, "llama");
    refuse_what_is_not_supported(reader);
    const int64_t layers = reader.integer({"block_count", "num_hidden_layers"}, 1, kMostLayers);
    const int64_t hidden = reader.integer({"embedding_length", "hidden_size"}, 1, kMostWidth);
    const int64_t middle = reader.integer({"feed_forward_length", "intermediate_size"}, 1, kMostWidth);
    const AttentionDimensions dimensions = read_attention_dimensions(reader, hidden);
    rope_ = rope_frequencies_with_magnitude(read_rope_config(reader), dimensions.head_columns);
    bind_head(reader, "llama", layers, hidden);
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
    reader.refuse_true({"", "attention_bias"});
    reader.refuse_true({"", "mlp_bias"});
    const ConfigKey experts{"expert_count", "num_local_experts"};
    if (reader.find_integer(experts, 0, kMostExperts).value_or(0) != 0) {
      throw_error(ErrorKind::unsupported, "{}: experts are not supported in a llama model; known: 0",
                  reader.where(experts));
    }
  }

  void bind_layer(int64_t layer, const AttentionDimensions& dimensions, int64_t hidden, int64_t middle) {
    const TensorNames names(binder_.file());
    const int64_t query = dimensions.heads * dimensions.head_columns;
    const int64_t key = dimensions.key_value_heads * dimensions.head_columns;
    GroupedQueryAttention& own = attention_.emplace_back();
    own.query = binder_.linear(names.layer(layer, "attn_q.weight", "self_attn.q_proj.weight"), query, hidden);
    own.key = binder_.linear(names.layer(layer, "attn_k.weight", "self_attn.k_proj.weight"), key, hidden);
    own.value = binder_.linear(names.layer(layer, "attn_v.weight", "self_attn.v_proj.weight"), key, hidden);
    own.output =
        binder_.linear(names.layer(layer, "attn_output.weight", "self_attn.o_proj.weight"), hidden, query);
    own.heads = dimensions.heads;
    own.key_value_heads = dimensions.key_value_heads;
    own.head_columns = dimensions.head_columns;
    // GGUF files hold the query and key rows in another order, made for neighbouring pairs.
    own.style = binder_.file().gguf() != nullptr ? RopeStyle::interleaved : RopeStyle::half_split;
    feed_forward_.push_back(
        {binder_.linear(names.layer(layer, "ffn_gate.weight", "mlp.gate_proj.weight"), middle, hidden),
         binder_.linear(names.layer(layer, "ffn_up.weight", "mlp.up_proj.weight"), middle, hidden),
         binder_.linear(names.layer(layer, "ffn_down.weight", "mlp.down_proj.weight"), hidden, middle)});
  }

  std::vector<GroupedQueryAttention> attention_;
  std::vector<GatedFeedForward> feed_forward_;
};

}  // namespace

std::unique_ptr<Model> load_llama(const std::shared_ptr<const ModelFile>& file, const ModelLoadOptions&) {
  return std::make_unique<Llama>(file);
}

}  // namespace r1
