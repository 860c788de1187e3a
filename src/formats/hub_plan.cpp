#include "formats/hub_plan.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "formats/rope_reading.h"

namespace r1 {
namespace {

using Source = TensorPlan::Source;

/// Llama 3's factors: 1 for short wavelengths, `factor` for long ones, a blend between (source: Meta's
/// llama-models, apply_scaling; the GGUF tensor divides the frequencies by them).
std::vector<float> llama3_factors(const RopeConfig& rope, int64_t head_columns) {
  std::vector<float> factors;
  for (int64_t i = 0; i < head_columns; i += 2) {
    const double wavelength = 2 * std::numbers::pi *
                              std::pow(rope.base, static_cast<double>(i) / static_cast<double>(head_columns));
    double result = 1;
    if (wavelength > rope.original_context / rope.low_frequency_factor) {
      result = rope.factor;
    } else if (wavelength >= rope.original_context / rope.high_frequency_factor) {
      const double smooth = (rope.original_context / wavelength - rope.low_frequency_factor) /
                            (rope.high_frequency_factor - rope.low_frequency_factor);
      result = 1 / ((1 - smooth) / rope.factor + smooth);
    }
    factors.push_back(static_cast<float>(result));
  }
  return factors;
}

// --- tensors ---

class Planner {
 public:
  explicit Planner(const ModelConfig& config) : config_(config) {}

  std::vector<TensorPlan> plan() {
    add("token_embd.weight", "model.embed_tokens.weight", {config_.vocabulary, config_.hidden});
    if (config_.rope.scaling == RopeConfig::Scaling::llama3) {
      add("rope_freqs.weight", "", {config_.head_columns / 2}, Source::rotary_factors).values =
          llama3_factors(config_.rope, config_.head_columns);
    }
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      block_ = fmt::format("blk.{}.", layer);
      layer_ = fmt::format("model.layers.{}.", layer);
      add_layer_part("attn_norm.weight", "input_layernorm.weight", {config_.hidden});
      if (config_.latent) {
        plan_latent_attention(*config_.latent);
      } else {
        plan_attention();
      }
      add_layer_part("ffn_norm.weight", "post_attention_layernorm.weight", {config_.hidden});
      if (config_.experts && layer >= config_.dense_layers) {
        plan_experts(*config_.experts);
      } else {
        plan_feed_forward();
      }
    }
    add("output_norm.weight", "model.norm.weight", {config_.hidden});
    if (!config_.tied_embeddings)
      add("output.weight", "lm_head.weight", {config_.vocabulary, config_.hidden});
    return std::move(tensors_);
  }

 private:
  TensorPlan& add(std::string name, std::string hub_name, std::vector<int64_t> shape,
                  Source source = Source::same) {
    TensorPlan tensor;
    tensor.name = std::move(name);
    tensor.hub_name = std::move(hub_name);
    tensor.always_f32 = shape.size() == 1;
    tensor.shape = std::move(shape);
    tensor.source = source;
    tensors_.push_back(std::move(tensor));
    return tensors_.back();
  }
  TensorPlan& add_layer_part(const std::string& name, const std::string& hub_name, std::vector<int64_t> shape,
                             Source source = Source::same) {
    return add(block_ + name, layer_ + hub_name, std::move(shape), source);
  }

  /// A matrix and, where the model has it, its bias.
  void add_linear(const std::string& name, const std::string& hub_name, int64_t outputs, int64_t inputs,
                  bool bias, Source source = Source::same, int64_t heads = 0) {
    add_layer_part(name + ".weight", hub_name + ".weight", {outputs, inputs}, source).heads = heads;
    if (bias) add_layer_part(name + ".bias", hub_name + ".bias", {outputs}, source).heads = heads;
  }

  void plan_attention() {
    const int64_t hidden = config_.hidden;
    const int64_t heads = config_.heads, key_value_heads = config_.key_value_heads;
    const int64_t query = heads * config_.head_columns, key = key_value_heads * config_.head_columns;
    const bool bias = config_.query_key_value_bias;
    const Source rotary = config_.architecture == "llama" ? Source::permute_rotary : Source::same;
    add_linear("attn_q", "self_attn.q_proj", query, hidden, bias, rotary, heads);
    add_linear("attn_k", "self_attn.k_proj", key, hidden, bias, rotary, key_value_heads);
    add_linear("attn_v", "self_attn.v_proj", key, hidden, bias);
    if (config_.query_key_norm) {
      add_layer_part("attn_q_norm.weight", "self_attn.q_norm.weight", {config_.head_columns});
      add_layer_part("attn_k_norm.weight", "self_attn.k_norm.weight", {config_.head_columns});
    }
    add_linear("attn_output", "self_attn.o_proj", hidden, query, config_.attention_output_bias);
  }

  void plan_feed_forward() {
    const bool bias = config_.feed_forward_bias;
    add_linear("ffn_gate", "mlp.gate_proj", config_.middle, config_.hidden, bias);
    add_linear("ffn_up", "mlp.up_proj", config_.middle, config_.hidden, bias);
    add_linear("ffn_down", "mlp.down_proj", config_.hidden, config_.middle, bias);
  }

  void plan_latent_attention(const LatentConfig& latent) {
    const int64_t hidden = config_.hidden, heads = config_.heads;
    const int64_t query = heads * (latent.plain + latent.rotary);
    if (latent.query_rank > 0) {
      add_linear("attn_q_a", "self_attn.q_a_proj", latent.query_rank, hidden, false);
      add_layer_part("attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight", {latent.query_rank});
      add_linear("attn_q_b", "self_attn.q_b_proj", query, latent.query_rank, false);
    } else {
      add_linear("attn_q", "self_attn.q_proj", query, hidden, false);
    }
    add_linear("attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa", latent.key_value_rank + latent.rotary, hidden,
               false);
    add_layer_part("attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight", {latent.key_value_rank});
    for (const Source part : {Source::key_b, Source::value_b}) {
      const bool is_key = part == Source::key_b;
      TensorPlan& tensor =
          add_layer_part(is_key ? "attn_k_b.weight" : "attn_v_b.weight", "self_attn.kv_b_proj.weight",
                         is_key ? std::vector<int64_t>{heads, latent.key_value_rank, latent.plain}
                                : std::vector<int64_t>{heads, latent.value, latent.key_value_rank},
                         part);
      tensor.heads = heads;
      tensor.nope_size = latent.plain;
      tensor.value_size = latent.value;
    }
    add_linear("attn_output", "self_attn.o_proj", hidden, heads * latent.value, false);
  }

  void plan_experts(const ExpertConfig& experts) {
    const int64_t hidden = config_.hidden, count = experts.experts, width = experts.width;
    add_layer_part("ffn_gate_inp.weight", "mlp.gate.weight", {count, hidden}).always_f32 = true;
    add_layer_part("exp_probs_b.bias", "mlp.gate.e_score_correction_bias", {count});
    const Source stack = Source::stack_experts;
    add_layer_part("ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight", {count, width, hidden}, stack);
    add_layer_part("ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight", {count, width, hidden}, stack);
    add_layer_part("ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight", {count, hidden, width}, stack);
    if (experts.shared == 0) return;
    const int64_t shared = width * experts.shared;
    add_linear("ffn_gate_shexp", "mlp.shared_experts.gate_proj", shared, hidden, false);
    add_linear("ffn_up_shexp", "mlp.shared_experts.up_proj", shared, hidden, false);
    add_linear("ffn_down_shexp", "mlp.shared_experts.down_proj", hidden, shared, false);
  }

  const ModelConfig& config_;
  std::vector<TensorPlan> tensors_;
  std::string block_, layer_;  // what the names of the layer's tensors begin with
};

/// Sets keys of one architecture.
class MetadataWriter {
 public:
  MetadataWriter(GgufWriter& writer, const ModelConfig& config) : writer_(writer), config_(config) {}

  void write() {
    writer_.set_string("general.architecture", config_.architecture);
    writer_.set_string("general.type", "model");
    set("block_count", config_.layers);
    set("context_length", config_.context_length);
    set("embedding_length", config_.hidden);
    set("feed_forward_length", config_.middle);
    set("attention.head_count", config_.heads);
    // With absorbed projections all heads of latent attention share one key.
    set("attention.head_count_kv", config_.latent ? 1 : config_.key_value_heads);
    set_number("rope.freq_base", config_.rope.base);
    set_number("attention.layer_norm_rms_epsilon", config_.epsilon);
    set("vocab_size", config_.vocabulary);
    if (!config_.latent) {
      set("rope.dimension_count", config_.head_columns);
      if (config_.head_columns_written || config_.head_columns * config_.heads != config_.hidden) {
        set("attention.key_length", config_.head_columns);
        set("attention.value_length", config_.head_columns);
      }
      if (config_.sliding_window > 0) set("attention.sliding_window", config_.sliding_window);
    }
    write_rope_scaling(config_.rope);
    if (config_.latent) write_latent(*config_.latent);
    if (config_.experts) write_experts(*config_.experts);
  }

 private:
  std::string key(std::string_view tail) const { return fmt::format("{}.{}", config_.architecture, tail); }
  void set(std::string_view tail, int64_t value) { writer_.set_u32(key(tail), static_cast<uint32_t>(value)); }
  void set_number(std::string_view tail, double value) {
    writer_.set_f32(key(tail), static_cast<float>(value));
  }

  void write_rope_scaling(const RopeConfig& rope) {
    using Scaling = RopeConfig::Scaling;
    if (rope.scaling == Scaling::none || rope.scaling == Scaling::llama3) return;  // llama3: a tensor
    writer_.set_string(key("rope.scaling.type"), name(rope.scaling));
    set_number("rope.scaling.factor", rope.factor);
    if (rope.scaling != Scaling::yarn) return;
    set("rope.scaling.original_context_length", static_cast<int64_t>(rope.original_context));
    set_number("rope.scaling.yarn_beta_fast", rope.beta_fast);
    set_number("rope.scaling.yarn_beta_slow", rope.beta_slow);
    if (config_.latent) {
      // The factor of ln(scale) in YaRN's attention factor, as readers expect it: 0.1 · mscale_all_dim.
      set_number("rope.scaling.yarn_log_multiplier", 0.1F * static_cast<float>(rope.log_multiplier));
      return;
    }
    // Readers multiply YaRN's own magnitude by it.
    const double multiplier = rope.magnitude / yarn_magnitude(rope.factor, 1);
    if (std::abs(multiplier - 1) > 1e-12) set_number("rope.scaling.attn_factor", multiplier);
  }

  void write_latent(const LatentConfig& latent) {
    set("leading_dense_block_count", config_.dense_layers);
    if (latent.query_rank > 0) set("attention.q_lora_rank", latent.query_rank);
    set("attention.kv_lora_rank", latent.key_value_rank);
    set("attention.key_length", latent.key_value_rank + latent.rotary);
    set("attention.value_length", latent.key_value_rank);
    set("attention.key_length_mla", latent.plain + latent.rotary);
    set("attention.value_length_mla", latent.value);
    set("rope.dimension_count", latent.rotary);
  }

  void write_experts(const ExpertConfig& experts) {
    set("expert_feed_forward_length", experts.width);
    set("expert_count", experts.experts);
    set("expert_used_count", experts.chosen);
    set("expert_shared_count", experts.shared);
    set("expert_group_count", experts.groups);
    set("expert_group_used_count", experts.chosen_groups);
    set_number("expert_weights_scale", experts.scale);
    writer_.set_bool(key("expert_weights_norm"), experts.normalise);
    constexpr int64_t kSigmoid = 2;
    set("expert_gating_func", kSigmoid);
  }

  GgufWriter& writer_;
  const ModelConfig& config_;
};

}  // namespace

std::vector<TensorPlan> plan_hub_model(const ModelConfig& config, const std::string& name) {
  if (config.vocabulary == 0) throw_error(ErrorKind::bad_file, "{}: vocab_size: is missing", name);
  if (config.rope.scaling == RopeConfig::Scaling::llama3 && config.architecture != "llama") {
    throw_error(ErrorKind::unsupported, "{}: rope_scaling: llama3 is not supported in a GGUF file of {}",
                name, config.architecture);
  }
  if (config.latent && config.rope.magnitude != 1) {
    throw_error(ErrorKind::unsupported,
                "{}: rope_scaling: mscale and mscale_all_dim differ: GGUF cannot say it", name);
  }
  return Planner(config).plan();
}

void write_model_metadata(GgufWriter& writer, const ModelConfig& config) {
  MetadataWriter(writer, config).write();
}

}  // namespace r1
