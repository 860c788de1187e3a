// The forward of every architecture against its formulas in double (reference_decoder.h), from tiny models
// that are nowhere on disk.
#include "tests/model/reference_decoder.h"

#include <gtest/gtest.h>

#include <numeric>

#include "formats/model_file.h"
#include "model/model.h"
#include "nn/context.h"
#include "tests/model/tiny_model.h"

namespace r1 {
namespace {

using nlohmann::json;

/// Random weights for a config, in hub form.
class Weights {
 public:
  explicit Weights(const json& config) : config_(config) {
    const int64_t hidden = config["hidden_size"], vocabulary = config["vocab_size"];
    matrix("model.embed_tokens", vocabulary, hidden, 1.0);
    if (!config.value("tie_word_embeddings", false)) matrix("lm_head", vocabulary, hidden, 1.0);
    norm("model.norm", hidden);
    for (int64_t layer = 0; layer < config["num_hidden_layers"]; ++layer) {
      const std::string part = "model.layers." + std::to_string(layer) + ".";
      norm(part + "input_layernorm", hidden);
      norm(part + "post_attention_layernorm", hidden);
      if (config["model_type"] == "deepseek_v3") {
        latent_layer(part, layer);
      } else {
        dense_layer(part);
      }
    }
  }

  const test::ReferenceDecoder::Weights& values() const { return values_; }

  std::vector<TensorView> views() const {
    std::vector<TensorView> views;
    for (const auto& [name, values] : values_) {
      views.push_back({name, DType::f32, shapes_.at(name), reinterpret_cast<const std::byte*>(values.data()),
                       values.size() * sizeof(float), nullptr});
    }
    return views;
  }

 private:
  void tensor(const std::string& name, const std::vector<int64_t>& shape, double from, double to) {
    int64_t count = 1;
    for (const int64_t side : shape) count *= side;
    values_[name] = test::drawn(count, 77 + values_.size(), from, to);
    shapes_[name] = shape;
  }
  void matrix(const std::string& name, int64_t outputs, int64_t inputs, double gain) {
    const double bound = gain * std::sqrt(3.0 / static_cast<double>(inputs));
    tensor(name + ".weight", {outputs, inputs}, -bound, bound);
  }
  void norm(const std::string& name, int64_t count) { tensor(name + ".weight", {count}, 0.5, 1.5); }

  void gated(const std::string& part, int64_t width) {
    const int64_t hidden = config_["hidden_size"];
    matrix(part + "gate_proj", width, hidden, 1.5);
    matrix(part + "up_proj", width, hidden, 1.5);
    matrix(part + "down_proj", hidden, width, 1.5);
  }

  void dense_layer(const std::string& part) {
    const int64_t hidden = config_["hidden_size"], heads = config_["num_attention_heads"];
    const int64_t head = config_.value("head_dim", hidden / heads);
    const int64_t groups = config_["num_key_value_heads"];
    for (const auto& [name, outputs] :
         {std::pair{"q_proj", heads * head}, {"k_proj", groups * head}, {"v_proj", groups * head}}) {
      matrix(part + "self_attn." + name, outputs, hidden, 1.5);
      if (config_["model_type"] == "qwen2")
        tensor(part + "self_attn." + name + ".bias", {outputs}, -0.5, 0.5);
    }
    matrix(part + "self_attn.o_proj", hidden, heads * head, 1.5);
    gated(part + "mlp.", config_["intermediate_size"]);
  }

  void latent_layer(const std::string& part, int64_t layer) {
    const int64_t hidden = config_["hidden_size"], heads = config_["num_attention_heads"];
    const int64_t latent = config_["kv_lora_rank"], rotary = config_["qk_rope_head_dim"];
    const int64_t plain = config_["qk_nope_head_dim"], value = config_["v_head_dim"];
    const std::string own = part + "self_attn.";
    if (config_["q_lora_rank"].is_null()) {
      matrix(own + "q_proj", heads * (plain + rotary), hidden, 1.5);
    } else {
      const int64_t rank = config_["q_lora_rank"];
      matrix(own + "q_a_proj", rank, hidden, 1.5);
      norm(own + "q_a_layernorm", rank);
      matrix(own + "q_b_proj", heads * (plain + rotary), rank, 1.5);
    }
    matrix(own + "kv_a_proj_with_mqa", latent + rotary, hidden, 1.5);
    norm(own + "kv_a_layernorm", latent);
    matrix(own + "kv_b_proj", heads * (plain + value), latent, 1.5);
    matrix(own + "o_proj", hidden, heads * value, 1.5);
    if (layer < config_["first_k_dense_replace"]) {
      gated(part + "mlp.", config_["intermediate_size"]);
      return;
    }
    const int64_t experts = config_["n_routed_experts"], width = config_["moe_intermediate_size"];
    matrix(part + "mlp.gate", experts, hidden, 1.5);
    tensor(part + "mlp.gate.e_score_correction_bias", {experts}, -0.3, 0.3);
    for (int64_t e = 0; e < experts; ++e) gated(part + "mlp.experts." + std::to_string(e) + ".", width);
    gated(part + "mlp.shared_experts.", width * config_["n_shared_experts"].get<int64_t>());
  }

  json config_;
  test::ReferenceDecoder::Weights values_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

json dense(const std::string& type) {
  return {{"model_type", type},
          {"hidden_act", "silu"},
          {"hidden_size", 48},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 6},
          {"num_key_value_heads", 2},
          {"intermediate_size", 80},
          {"vocab_size", 60},
          {"rope_theta", 100.0},
          {"rms_norm_eps", 1e-3},
          {"tie_word_embeddings", false},
          {"max_position_embeddings", 4096}};
}

json with_scaling(json config, const json& scaling) {
  config["rope_scaling"] = scaling;
  return config;
}

json with(json config, const std::string& key, const json& value) {
  config[key] = value;
  return config;
}

json deepseek() {
  return {{"model_type", "deepseek_v3"},
          {"hidden_act", "silu"},
          {"hidden_size", 48},
          {"num_hidden_layers", 3},
          {"first_k_dense_replace", 1},
          {"moe_layer_freq", 1},
          {"num_attention_heads", 3},
          {"num_key_value_heads", 3},
          {"intermediate_size", 80},
          {"moe_intermediate_size", 32},
          {"n_routed_experts", 8},
          {"n_shared_experts", 2},
          {"num_experts_per_tok", 3},
          {"n_group", 4},
          {"topk_group", 2},
          {"routed_scaling_factor", 2.5},
          {"norm_topk_prob", true},
          {"scoring_func", "sigmoid"},
          {"topk_method", "noaux_tc"},
          {"q_lora_rank", 24},
          {"kv_lora_rank", 32},
          {"qk_nope_head_dim", 16},
          {"qk_rope_head_dim", 8},
          {"v_head_dim", 16},
          {"vocab_size", 60},
          {"rope_theta", 100.0},
          {"rms_norm_eps", 1e-3},
          {"tie_word_embeddings", false},
          {"max_position_embeddings", 4096}};
}

// The original contexts are short, so that 70 positions reach past them and every kind of wavelength occurs.
const json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 64}};
const json kYarn = {{"type", "yarn"},
                    {"factor", 4.0},
                    {"beta_fast", 8},
                    {"beta_slow", 1},
                    {"mscale", 0.7},
                    {"mscale_all_dim", 1.3},
                    {"original_max_position_embeddings", 64}};
const json kPlainYarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 128}};

struct Case {
  std::string name;
  json config;
};
void PrintTo(const Case& own, std::ostream* out) {
  *out << own.name;
}

class ReferenceDecoderTest : public testing::TestWithParam<Case> {};

TEST_P(ReferenceDecoderTest, GivesTheModelsLogits) {
  const json& config = GetParam().config;
  const Weights weights(config);
  const auto file = ModelFile::in_memory(config, weights.views());
  const std::unique_ptr<Model> model = load_model(file);
  std::vector<int32_t> ids(70);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(random_bits(3, i) % 60);
  const auto expected = test::ReferenceDecoder(config, weights.values()).logits({ids.begin(), ids.end()});

  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  KvCache cache(model->kv_layers(), 3, DType::f32, DType::f32);
  const std::vector<int32_t> blocks{2, 0, 1};
  std::vector<float> found(ids.size() * 60);
  for (size_t begin = 0; begin < ids.size(); begin += 33) {
    const size_t rows = std::min<size_t>(33, ids.size() - begin);
    std::vector<int32_t> wanted(rows);
    std::iota(wanted.begin(), wanted.end(), 0);
    const SequenceSlice slice{static_cast<int64_t>(rows), static_cast<int64_t>(begin), blocks};
    model->forward(context, {std::span(ids).subspan(begin, rows), {&slice, 1}, wanted}, cache,
                   found.data() + begin * 60);
  }
  double size = 0;
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t i = 0; i < 60; ++i) {
      ASSERT_NEAR(found[t * 60 + i], expected[t][i], 2e-4) << "position " << t << ", token " << i;
      size = std::max(size, std::fabs(expected[t][i]));
    }
  }
  EXPECT_GT(size, 1) << "logits too small to tell anything";
}

INSTANTIATE_TEST_SUITE_P(
    Models, ReferenceDecoderTest,
    testing::Values(Case{"Qwen2", dense("qwen2")},
                    Case{"Qwen2Tied", with(dense("qwen2"), "tie_word_embeddings", true)},
                    Case{"Llama", dense("llama")},
                    Case{"LlamaWideHeads", with(dense("llama"), "head_dim", 12)},
                    Case{"LlamaOneGroup", with(dense("llama"), "num_key_value_heads", 1)},
                    Case{"LlamaLinear", with_scaling(dense("llama"), {{"type", "linear"}, {"factor", 3.0}})},
                    Case{"LlamaLlama3", with_scaling(dense("llama"), kLlama3)},
                    Case{"Qwen2Yarn", with_scaling(dense("qwen2"), kPlainYarn)},
                    Case{"DeepseekV3", deepseek()}, Case{"DeepseekV3Yarn", with_scaling(deepseek(), kYarn)},
                    Case{"DeepseekV3WholeQueries", with(deepseek(), "q_lora_rank", nullptr)},
                    Case{"DeepseekV3NotNormalised", with(deepseek(), "norm_topk_prob", false)}),
    [](const auto& own) { return own.param.name; });

}  // namespace
}  // namespace r1
