#include "model/dense_decoder.h"

#include <algorithm>

#include "model/rope_frequencies.h"

namespace r1 {

void DenseDecoder::bind(const ModelSource& source, RopeStyle gguf_style) {
  const ModelConfig& config = source.config;
  rope_ = rope_frequencies(config.rope, config.head_columns);
  bind_head(config);

  const TensorNames names(binder_.file());
  const bool is_gguf = source.file->gguf() != nullptr;
  const int64_t query = config.heads * config.head_columns;
  const int64_t key = config.key_value_heads * config.head_columns;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    binder_.bind_to_layer(layer);
    auto linear = [&](const std::string& gguf, const std::string& hub, int64_t outputs, int64_t inputs,
                      bool bias) {
      const std::string bias_name = names.layer(layer, gguf + ".bias", hub + ".bias");
      const bool biased = bias || (is_gguf && binder_.has(bias_name));
      return binder_.linear(names.layer(layer, gguf + ".weight", hub + ".weight"), outputs, inputs,
                            biased ? bias_name : "");
    };
    GroupedQueryAttention& attention = attention_.emplace_back();
    attention.query = linear("attn_q", "self_attn.q_proj", query, config.hidden, config.query_key_value_bias);
    attention.key = linear("attn_k", "self_attn.k_proj", key, config.hidden, config.query_key_value_bias);
    attention.value = linear("attn_v", "self_attn.v_proj", key, config.hidden, config.query_key_value_bias);
    attention.output =
        linear("attn_output", "self_attn.o_proj", config.hidden, query, config.attention_output_bias);
    attention.heads = config.heads;
    attention.key_value_heads = config.key_value_heads;
    attention.head_columns = config.head_columns;
    attention.window = config.sliding_window;
    if (config.query_key_norm) {
      const auto norm = [&](const std::string& gguf, const std::string& hub) {
        return binder_.vector(names.layer(layer, gguf, hub), config.head_columns);
      };
      attention.query_norm = norm("attn_q_norm.weight", "self_attn.q_norm.weight");
      attention.key_norm = norm("attn_k_norm.weight", "self_attn.k_norm.weight");
      attention.epsilon = static_cast<float>(config.epsilon);
    }
    attention.style = is_gguf ? gguf_style : RopeStyle::half_split;
    const bool bias = config.feed_forward_bias;
    feed_forward_.push_back({linear("ffn_gate", "mlp.gate_proj", config.middle, config.hidden, bias),
                             linear("ffn_up", "mlp.up_proj", config.middle, config.hidden, bias),
                             linear("ffn_down", "mlp.down_proj", config.hidden, config.middle, bias)});
  }
  std::vector<LayerReaders> readers;
  for (size_t i = 0; i < attention_.size(); ++i) {
    const GroupedQueryAttention& attention = attention_[i];
    const GatedFeedForward& feed_forward = feed_forward_[i];
    readers.push_back(
        {{&attention.query, &attention.key, &attention.value}, {&feed_forward.gate, &feed_forward.up}});
    accept_adapters({&attention.query, &attention.key, &attention.value, &attention.output,
                     &feed_forward.gate, &feed_forward.up, &feed_forward.down});
  }
  finish(source, std::move(readers));
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
  // … and, where heads are normed, that and a copy of their queries and keys.
  const int64_t normed =
      !attention.query_norm.is_present() ? 0 : 2 * (attention.query.outputs() + attention.key.outputs());
  return 4 * info_.hidden + 2 * attention.query.outputs() + 2 * attention.key.outputs() + normed +
         3 * feed_forward_[0].gate.outputs();
}

AttentionWidths DenseDecoder::attention_widths() const {
  const GroupedQueryAttention& first = attention_[0];
  return {first.heads, first.key_value_heads, 2 * first.head_columns,
          std::max({info_.hidden, first.query.outputs(), feed_forward_[0].gate.outputs()})};
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
