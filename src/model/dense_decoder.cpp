#include "model/dense_decoder.h"

#include "model/rope_config.h"

namespace r1 {

void DenseDecoder::bind(const ConfigReader& reader, const Traits& traits) {
  const int64_t layers = reader.integer({"block_count", "num_hidden_layers"}, 1, kMostLayers);
  const int64_t hidden = reader.integer({"embedding_length", "hidden_size"}, 1, kMostWidth);
  const int64_t middle = reader.integer({"feed_forward_length", "intermediate_size"}, 1, kMostWidth);
  const AttentionDimensions dimensions = read_attention_dimensions(reader, hidden);
  rope_ = rope_frequencies_with_magnitude(read_rope_config(reader), dimensions.head_columns);
  bind_head(reader, traits.architecture, layers, hidden);

  const TensorNames names(binder_.file());
  const int64_t query = dimensions.heads * dimensions.head_columns;
  const int64_t key = dimensions.key_value_heads * dimensions.head_columns;
  for (int64_t layer = 0; layer < layers; ++layer) {
    auto linear = [&](const std::string& gguf, const std::string& hub, int64_t outputs, int64_t inputs,
                      bool bias) {
      return binder_.linear(names.layer(layer, gguf + ".weight", hub + ".weight"), outputs, inputs,
                            bias ? names.layer(layer, gguf + ".bias", hub + ".bias") : "");
    };
    const bool bias = traits.query_key_value_bias;
    GroupedQueryAttention& own = attention_.emplace_back();
    own.query = linear("attn_q", "self_attn.q_proj", query, hidden, bias);
    own.key = linear("attn_k", "self_attn.k_proj", key, hidden, bias);
    own.value = linear("attn_v", "self_attn.v_proj", key, hidden, bias);
    own.output = linear("attn_output", "self_attn.o_proj", hidden, query, false);
    own.heads = dimensions.heads;
    own.key_value_heads = dimensions.key_value_heads;
    own.head_columns = dimensions.head_columns;
    own.style = reader.is_gguf() ? traits.gguf_style : RopeStyle::half_split;
    feed_forward_.push_back({linear("ffn_gate", "mlp.gate_proj", middle, hidden, false),
                             linear("ffn_up", "mlp.up_proj", middle, hidden, false),
                             linear("ffn_down", "mlp.down_proj", hidden, middle, false)});
  }
  finish_info(0, 0);
}

std::vector<KvLayerShape> DenseDecoder::kv_layers() const {
  const GroupedQueryAttention& first = attention_[0];
  return std::vector<KvLayerShape>(attention_.size(),
                                   {first.key_value_heads, first.head_columns, first.head_columns});
}

int64_t DenseDecoder::row_floats() const {
  const GroupedQueryAttention& attention = attention_[0];
  // Two norms with a copy of their input; queries and attention's result, keys, values; gate, up and their
  // product.
  return 4 * info_.hidden + 2 * attention.query.outputs() + 2 * attention.key.outputs() +
         3 * feed_forward_[0].gate.outputs();
}

AttentionWidths DenseDecoder::attention_widths() const {
  const GroupedQueryAttention& own = attention_[0];
  return {own.heads, own.key_value_heads, 2 * own.head_columns,
          std::max({info_.hidden, own.query.outputs(), feed_forward_[0].gate.outputs()})};
}

WantedForms DenseDecoder::attention_forms(const Context& context, int64_t layer) const {
  return attention_[layer].forms(context);
}

WantedForms DenseDecoder::feed_forward_forms(const Context& context, int64_t layer) const {
  return feed_forward_[layer].forms(context);
}

void DenseDecoder::attention(Context& context, int64_t layer, const BatchPlan& plan, const ActiveRows& active,
                             const Activations& normed, KvCache& cache, float* out) const {
  attention_[layer].run(context, layer, plan, active, normed, cache, out);
}

void DenseDecoder::feed_forward(Context& context, int64_t layer, const Activations& normed,
                                float* out) const {
  feed_forward_[layer].run(context, normed, out);
}

}  // namespace r1
