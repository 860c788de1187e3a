#include "formats/hub_plan.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "formats/json_file.h"

namespace r1 {
namespace {

using nlohmann::json;
using Source = TensorPlan::Source;

constexpr int64_t kLargestInteger = 1 << 24;  // of any size or count in a config
constexpr int64_t kMostLayers = 4096;

/// Typed access to config.json.
class Config {
 public:
  Config(const json& config, std::string name) : config_(&config), name_(std::move(name)) {
    if (!config.is_object()) throw_error(ErrorKind::bad_file, "{}: expected a JSON object", name_);
  }

  const std::string& name() const { return name_; }
  bool has(const char* key) const { return config_->contains(key) && !config_->at(key).is_null(); }

  /// A size or count from 1.
  int64_t integer(const char* key) const { return integer(key, 1); }
  int64_t integer(const char* key, int64_t least) const {
    const json& value = get(key);
    if (!value.is_number_integer() || value.get<int64_t>() < least ||
        value.get<int64_t>() > kLargestInteger) {
      wrong(key, fmt::format("an integer from {} to {}", least, kLargestInteger), value);
    }
    return value.get<int64_t>();
  }
  float number(const char* key) const {
    const json& value = get(key);
    if (!value.is_number() || !std::isfinite(value.get<double>())) wrong(key, "a number", value);
    return static_cast<float>(value.get<double>());
  }
  bool boolean(const char* key) const {
    const json& value = get(key);
    if (!value.is_boolean()) wrong(key, "true or false", value);
    return value.get<bool>();
  }
  bool boolean_or_false(const char* key) const { return has(key) && boolean(key); }
  std::string text(const char* key) const {
    const json& value = get(key);
    if (!value.is_string()) wrong(key, "a string", value);
    return value.get<std::string>();
  }
  /// The value must be this one: anything else is understood and not supported.
  void require(const char* key, const json& expected) const {
    const json& value = get(key);
    if (value != expected) {
      throw_error(ErrorKind::unsupported, "{}: {}: expected {}, found {}", name_, key, short_json(expected),
                  short_json(value));
    }
  }
  std::optional<Config> section(const char* key) const {
    if (!has(key)) return std::nullopt;
    if (!get(key).is_object()) wrong(key, "an object", get(key));
    return Config(get(key), fmt::format("{}: {}", name_, key));
  }

 private:
  const json& get(const char* key) const {
    if (!has(key)) throw_error(ErrorKind::bad_file, "{}: {} is missing", name_, key);
    return config_->at(key);
  }
  [[noreturn]] void wrong(const char* key, std::string_view expected, const json& value) const {
    throw_error(ErrorKind::bad_file, "{}: {}: expected {}, found {}", name_, key, expected,
                short_json(value));
  }

  const json* config_;
  std::string name_;
};

enum class Architecture { llama, qwen2, deepseek2 };

struct ArchitectureName {
  std::string_view hub;
  std::string_view gguf;
  Architecture architecture;
};
constexpr ArchitectureName kArchitectures[] = {
    {"LlamaForCausalLM", "llama", Architecture::llama},
    {"Qwen2ForCausalLM", "qwen2", Architecture::qwen2},
    {"DeepseekV3ForCausalLM", "deepseek2", Architecture::deepseek2},
};

const ArchitectureName& architecture_of(const json& config, const std::string& name) {
  const json names = config.is_object() ? config.value("architectures", json()) : json();
  if (!names.is_array() || names.size() != 1 || !names[0].is_string()) {
    throw_error(ErrorKind::bad_file, "{}: architectures: expected a list of one name, found {}", name,
                short_json(names));
  }
  for (const ArchitectureName& known : kArchitectures) {
    if (names[0] == known.hub) return known;
  }
  throw_error(ErrorKind::unsupported,
              "{}: architecture {} is not supported (LlamaForCausalLM, Qwen2ForCausalLM and "
              "DeepseekV3ForCausalLM are)",
              name, short_json(names[0]));
}

// --- rope ---

/// rope_scaling (or rope_parameters in newer files) where it says something; nothing for plain rope.
std::optional<Config> rope_scaling(const Config& config) {
  auto scaling = config.section("rope_scaling");
  if (!scaling) scaling = config.section("rope_parameters");
  if (!scaling || (!scaling->has("rope_type") && !scaling->has("type"))) return std::nullopt;
  if (scaling->text(scaling->has("rope_type") ? "rope_type" : "type") == "default") return std::nullopt;
  return scaling;
}

std::string rope_type(const Config& scaling) {
  return scaling.text(scaling.has("rope_type") ? "rope_type" : "type");
}

float rope_theta(const Config& config) {
  if (config.has("rope_theta")) return config.number("rope_theta");
  if (const auto parameters = config.section("rope_parameters")) return parameters->number("rope_theta");
  return config.number("rope_theta");  // throws: missing
}

/// Llama 3's factors: 1 for short wavelengths, `factor` for long ones, a blend between (source: Meta's
/// llama-models, apply_scaling; the GGUF tensor divides the frequencies by them).
std::vector<float> llama3_factors(const Config& scaling, double theta, int64_t head_size) {
  const double factor = scaling.number("factor");
  const double low = scaling.number("low_freq_factor");
  const double high = scaling.number("high_freq_factor");
  const auto original = static_cast<double>(scaling.integer("original_max_position_embeddings"));
  std::vector<float> factors;
  for (int64_t i = 0; i < head_size; i += 2) {
    const double wavelength =
        2 * std::numbers::pi * std::pow(theta, static_cast<double>(i) / static_cast<double>(head_size));
    double result = 1;
    if (wavelength > original / low) {
      result = factor;
    } else if (wavelength >= original / high) {
      const double smooth = (original / wavelength - low) / (high - low);
      result = 1 / ((1 - smooth) / factor + smooth);
    }
    factors.push_back(static_cast<float>(result));
  }
  return factors;
}

int64_t head_size_of(const Config& config) {
  const int64_t size = config.has("head_dim")
                           ? config.integer("head_dim")
                           : config.integer("hidden_size") / config.integer("num_attention_heads");
  if (size < 2 || size % 2 != 0) {
    throw_error(ErrorKind::unsupported, "{}: the size of a head must be even for rotary embeddings, found {}",
                config.name(), size);
  }
  return size;
}

// --- tensors ---

class Builder {
 public:
  explicit Builder(HubPlan& plan) : plan_(plan) {}

  TensorPlan& add(std::string name, std::string hub_name, std::vector<int64_t> shape,
                  Source source = Source::same) {
    TensorPlan tensor;
    tensor.name = std::move(name);
    tensor.hub_name = std::move(hub_name);
    tensor.always_f32 = shape.size() == 1;
    tensor.shape = std::move(shape);
    tensor.source = source;
    plan_.tensors.push_back(std::move(tensor));
    return plan_.tensors.back();
  }

 private:
  HubPlan& plan_;
};

void plan_feed_forward(Builder& builder, const std::string& block, const std::string& layer, int64_t hidden,
                       int64_t inner) {
  builder.add(block + "ffn_gate.weight", layer + "mlp.gate_proj.weight", {inner, hidden});
  builder.add(block + "ffn_up.weight", layer + "mlp.up_proj.weight", {inner, hidden});
  builder.add(block + "ffn_down.weight", layer + "mlp.down_proj.weight", {hidden, inner});
}

/// Llama and Qwen2 layers: grouped-query attention and a gated feed-forward.
void plan_dense_layer(Builder& builder, const Config& config, Architecture architecture, int64_t index) {
  const int64_t hidden = config.integer("hidden_size");
  const int64_t heads = config.integer("num_attention_heads");
  const int64_t kv_heads = config.integer("num_key_value_heads");
  const int64_t head_size = head_size_of(config);
  const std::string block = fmt::format("blk.{}.", index);
  const std::string layer = fmt::format("model.layers.{}.", index);
  const Source rotary = architecture == Architecture::llama ? Source::permute_rotary : Source::same;

  builder.add(block + "attn_norm.weight", layer + "input_layernorm.weight", {hidden});
  builder.add(block + "attn_q.weight", layer + "self_attn.q_proj.weight", {heads * head_size, hidden}, rotary)
      .heads = heads;
  builder
      .add(block + "attn_k.weight", layer + "self_attn.k_proj.weight", {kv_heads * head_size, hidden}, rotary)
      .heads = kv_heads;
  builder.add(block + "attn_v.weight", layer + "self_attn.v_proj.weight", {kv_heads * head_size, hidden});
  if (architecture == Architecture::qwen2) {
    builder.add(block + "attn_q.bias", layer + "self_attn.q_proj.bias", {heads * head_size});
    builder.add(block + "attn_k.bias", layer + "self_attn.k_proj.bias", {kv_heads * head_size});
    builder.add(block + "attn_v.bias", layer + "self_attn.v_proj.bias", {kv_heads * head_size});
  }
  builder.add(block + "attn_output.weight", layer + "self_attn.o_proj.weight", {hidden, heads * head_size});
  builder.add(block + "ffn_norm.weight", layer + "post_attention_layernorm.weight", {hidden});
  plan_feed_forward(builder, block, layer, hidden, config.integer("intermediate_size"));
}

/// DeepSeek-V3 layers: multi-head latent attention, and experts from first_k_dense_replace on.
void plan_deepseek_layer(Builder& builder, const Config& config, int64_t index) {
  const int64_t hidden = config.integer("hidden_size");
  const int64_t heads = config.integer("num_attention_heads");
  const int64_t q_rank = config.integer("q_lora_rank");
  const int64_t kv_rank = config.integer("kv_lora_rank");
  const int64_t nope = config.integer("qk_nope_head_dim");
  const int64_t rope = config.integer("qk_rope_head_dim");
  const int64_t value = config.integer("v_head_dim");
  const std::string block = fmt::format("blk.{}.", index);
  const std::string layer = fmt::format("model.layers.{}.", index);
  const std::string attention = layer + "self_attn.";

  builder.add(block + "attn_norm.weight", layer + "input_layernorm.weight", {hidden});
  builder.add(block + "attn_q_a.weight", attention + "q_a_proj.weight", {q_rank, hidden});
  builder.add(block + "attn_q_a_norm.weight", attention + "q_a_layernorm.weight", {q_rank});
  builder.add(block + "attn_q_b.weight", attention + "q_b_proj.weight", {heads * (nope + rope), q_rank});
  builder.add(block + "attn_kv_a_mqa.weight", attention + "kv_a_proj_with_mqa.weight",
              {kv_rank + rope, hidden});
  builder.add(block + "attn_kv_a_norm.weight", attention + "kv_a_layernorm.weight", {kv_rank});
  for (const Source part : {Source::key_b, Source::value_b}) {
    const bool is_key = part == Source::key_b;
    TensorPlan& tensor = builder.add(
        block + (is_key ? "attn_k_b.weight" : "attn_v_b.weight"), attention + "kv_b_proj.weight",
        is_key ? std::vector<int64_t>{heads, kv_rank, nope} : std::vector<int64_t>{heads, value, kv_rank},
        part);
    tensor.heads = heads;
    tensor.nope_size = nope;
    tensor.value_size = value;
  }
  builder.add(block + "attn_output.weight", attention + "o_proj.weight", {hidden, heads * value});
  builder.add(block + "ffn_norm.weight", layer + "post_attention_layernorm.weight", {hidden});
  if (index < config.integer("first_k_dense_replace", 0)) {
    plan_feed_forward(builder, block, layer, hidden, config.integer("intermediate_size"));
    return;
  }
  const int64_t experts = config.integer("n_routed_experts");
  const int64_t inner = config.integer("moe_intermediate_size");
  const int64_t shared = inner * config.integer("n_shared_experts");
  builder.add(block + "ffn_gate_inp.weight", layer + "mlp.gate.weight", {experts, hidden}).always_f32 = true;
  builder.add(block + "exp_probs_b.bias", layer + "mlp.gate.e_score_correction_bias", {experts});
  const std::string expert = layer + "mlp.experts.{}.";
  builder.add(block + "ffn_gate_exps.weight", expert + "gate_proj.weight", {experts, inner, hidden},
              Source::stack_experts);
  builder.add(block + "ffn_up_exps.weight", expert + "up_proj.weight", {experts, inner, hidden},
              Source::stack_experts);
  builder.add(block + "ffn_down_exps.weight", expert + "down_proj.weight", {experts, hidden, inner},
              Source::stack_experts);
  const std::string shared_experts = layer + "mlp.shared_experts.";
  builder.add(block + "ffn_gate_shexp.weight", shared_experts + "gate_proj.weight", {shared, hidden});
  builder.add(block + "ffn_up_shexp.weight", shared_experts + "up_proj.weight", {shared, hidden});
  builder.add(block + "ffn_down_shexp.weight", shared_experts + "down_proj.weight", {hidden, shared});
}

/// Values that would change the computation and that the architecture's code does not have.
void refuse_unknown_variants(const Config& config, Architecture architecture) {
  config.require("hidden_act", "silu");
  for (const char* flag : {"use_sliding_window", "mlp_bias"}) {
    if (config.boolean_or_false(flag)) config.require(flag, false);
  }
  if (architecture != Architecture::qwen2 && config.boolean_or_false("attention_bias")) {
    config.require("attention_bias", false);
  }
  if (architecture == Architecture::deepseek2) {
    config.require("scoring_func", "sigmoid");
    config.require("topk_method", "noaux_tc");
    config.require("moe_layer_freq", 1);
  }
  if (const auto scaling = rope_scaling(config)) {
    const std::string type = rope_type(*scaling);
    const bool known = type == "yarn" || (type == "llama3" && architecture == Architecture::llama) ||
                       (type == "linear" && architecture != Architecture::deepseek2);
    if (!known) throw_error(ErrorKind::unsupported, "{}: type '{}' is not supported", scaling->name(), type);
    if (type == "yarn" && scaling->has("mscale") &&
        scaling->number("mscale") != scaling->number("mscale_all_dim")) {
      throw_error(ErrorKind::unsupported, "{}: mscale {} and mscale_all_dim {} differ: not supported",
                  scaling->name(), scaling->number("mscale"), scaling->number("mscale_all_dim"));
    }
  }
}

}  // namespace

HubPlan plan_hub_model(const json& config_json, const std::string& name) {
  const ArchitectureName& known = architecture_of(config_json, name);
  const Config config(config_json, name);
  refuse_unknown_variants(config, known.architecture);

  HubPlan plan;
  plan.architecture = known.gguf;
  plan.vocabulary_size = config.integer("vocab_size");
  plan.layers = config.integer("num_hidden_layers");
  if (plan.layers > kMostLayers) {
    throw_error(ErrorKind::unsupported, "{}: num_hidden_layers: expected at most {}, found {}", name,
                kMostLayers, plan.layers);
  }
  plan.tied_embeddings = config.boolean_or_false("tie_word_embeddings");
  const int64_t hidden = config.integer("hidden_size");
  Builder builder(plan);
  builder.add("token_embd.weight", "model.embed_tokens.weight", {plan.vocabulary_size, hidden});
  const auto scaling = rope_scaling(config);
  if (scaling && rope_type(*scaling) == "llama3") {
    const int64_t head_size = head_size_of(config);
    builder.add("rope_freqs.weight", "", {head_size / 2}, Source::rotary_factors).values =
        llama3_factors(*scaling, rope_theta(config), head_size);
  }
  for (int64_t index = 0; index < plan.layers; ++index) {
    if (known.architecture == Architecture::deepseek2) {
      plan_deepseek_layer(builder, config, index);
    } else {
      plan_dense_layer(builder, config, known.architecture, index);
    }
  }
  builder.add("output_norm.weight", "model.norm.weight", {hidden});
  if (!plan.tied_embeddings) builder.add("output.weight", "lm_head.weight", {plan.vocabulary_size, hidden});
  return plan;
}

void write_model_metadata(GgufWriter& writer, const json& config_json, const std::string& name) {
  const ArchitectureName& known = architecture_of(config_json, name);
  const Config config(config_json, name);
  const bool deepseek = known.architecture == Architecture::deepseek2;
  auto key = [&](std::string_view tail) { return fmt::format("{}.{}", known.gguf, tail); };
  auto set = [&](std::string_view tail, int64_t value) {
    writer.set_u32(key(tail), static_cast<uint32_t>(value));
  };

  writer.set_string("general.architecture", known.gguf);
  writer.set_string("general.type", "model");
  set("block_count", config.integer("num_hidden_layers"));
  set("context_length", config.integer("max_position_embeddings"));
  set("embedding_length", config.integer("hidden_size"));
  set("feed_forward_length", config.integer("intermediate_size"));
  set("attention.head_count", config.integer("num_attention_heads"));
  // With absorbed projections all heads of latent attention share one key.
  set("attention.head_count_kv", deepseek ? 1 : config.integer("num_key_value_heads"));
  writer.set_f32(key("rope.freq_base"), rope_theta(config));
  writer.set_f32(key("attention.layer_norm_rms_epsilon"), config.number("rms_norm_eps"));
  set("vocab_size", config.integer("vocab_size"));
  if (!deepseek) {
    set("rope.dimension_count", head_size_of(config));
    if (config.has("head_dim")) {
      set("attention.key_length", head_size_of(config));
      set("attention.value_length", head_size_of(config));
    }
  }
  if (const auto scaling = rope_scaling(config); scaling && rope_type(*scaling) != "llama3") {
    writer.set_string(key("rope.scaling.type"), rope_type(*scaling));
    writer.set_f32(key("rope.scaling.factor"), scaling->number("factor"));
    if (rope_type(*scaling) == "yarn") {
      set("rope.scaling.original_context_length", scaling->integer("original_max_position_embeddings"));
      if (scaling->has("attention_factor")) {
        writer.set_f32(key("rope.scaling.yarn_attn_factor"), scaling->number("attention_factor"));
      }
      if (scaling->has("beta_fast"))
        writer.set_f32(key("rope.scaling.yarn_beta_fast"), scaling->number("beta_fast"));
      if (scaling->has("beta_slow"))
        writer.set_f32(key("rope.scaling.yarn_beta_slow"), scaling->number("beta_slow"));
      if (scaling->has("mscale_all_dim")) {
        // The factor of ln(scale) in YaRN's attention factor, as readers expect it: 0.1 · mscale_all_dim.
        writer.set_f32(key("rope.scaling.yarn_log_multiplier"), 0.1F * scaling->number("mscale_all_dim"));
      }
    }
  }
  if (!deepseek) return;

  const int64_t kv_rank = config.integer("kv_lora_rank");
  const int64_t rope = config.integer("qk_rope_head_dim");
  set("leading_dense_block_count", config.integer("first_k_dense_replace", 0));
  set("attention.q_lora_rank", config.integer("q_lora_rank"));
  set("attention.kv_lora_rank", kv_rank);
  set("attention.key_length", kv_rank + rope);
  set("attention.value_length", kv_rank);
  set("attention.key_length_mla", config.integer("qk_nope_head_dim") + rope);
  set("attention.value_length_mla", config.integer("v_head_dim"));
  set("rope.dimension_count", rope);
  set("expert_feed_forward_length", config.integer("moe_intermediate_size"));
  set("expert_count", config.integer("n_routed_experts"));
  set("expert_used_count", config.integer("num_experts_per_tok"));
  set("expert_shared_count", config.integer("n_shared_experts"));
  set("expert_group_count", config.integer("n_group"));
  set("expert_group_used_count", config.integer("topk_group"));
  writer.set_f32(key("expert_weights_scale"), config.number("routed_scaling_factor"));
  writer.set_bool(key("expert_weights_norm"), config.boolean("norm_topk_prob"));
  constexpr uint32_t kSigmoid = 2;
  writer.set_u32(key("expert_gating_func"), kSigmoid);
}

}  // namespace r1
