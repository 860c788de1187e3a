// Files that lie about a model get one line that says what was expected and found.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/model_file.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

class LoadModelTest : public testing::Test {
 protected:
  /// What load_model says about fixture `name` (hub form) after a change of its config, and, where given, of
  /// its tensors: changed tensors' shapes and left-out ones.
  std::string load(const std::string& name, const std::function<void(nlohmann::json&)>& change,
                   const std::string& left_out = "", const ModelLoadOptions& options = {}) {
    const fs::path source = shared_path("fixtures/" + name);
    std::ifstream in(source / "config.json");
    nlohmann::json config = nlohmann::json::parse(in);
    change(config);
    std::ofstream(folder_ / "config.json") << config.dump();
    fs::remove(folder_ / "model.safetensors");
    if (left_out.empty()) {
      fs::copy_file(source / "model.safetensors", folder_ / "model.safetensors");
    } else {
      const SafetensorsFile file = SafetensorsFile::open(source / "model.safetensors");
      SafetensorsWriter writer(folder_ / "model.safetensors");
      for (const TensorView& tensor : file.tensors()) {
        if (tensor.name != left_out) writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
      }
      for (const TensorView& tensor : file.tensors()) {
        if (tensor.name != left_out) writer.append({tensor.data, tensor.bytes});
      }
      writer.finish();
    }
    try {
      load_model(ModelFile::open(folder_), options);
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      const std::string prefix = folder_.string() + ": ";
      return message.rfind(prefix, 0) == 0 ? message.substr(prefix.size()) : message;
    }
    return "";
  }
  std::string load_with(const std::string& name, const char* key, const nlohmann::json& value) {
    return load(name, [&](nlohmann::json& config) { config[key] = value; });
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

TEST_F(LoadModelTest, SoundFilesLoad) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  for (const char* name : {"qwen2-tiny", "llama3-tiny", "deepseek-v3-tiny", "deepseek-v3-tiny-fp8"}) {
    EXPECT_EQ(load(name, [](nlohmann::json&) {}), "") << name;
  }
}

TEST_F(LoadModelTest, UnknownSettingsAreNamed) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  EXPECT_EQ(load_with("qwen2-tiny", "model_type", "mamba"),
            "model_type: 'mamba' is not supported; known: llama, mistral, qwen2, qwen3, "
            "deepseek_v3 (list in docs/models.md)");
  EXPECT_EQ(load_with("qwen2-tiny", "hidden_act", "gelu"),
            "hidden_act: 'gelu' is not supported; known: silu, swish");
  EXPECT_EQ(load_with("qwen2-tiny", "use_sliding_window", true),
            "use_sliding_window: true is not supported; known: false");
  EXPECT_EQ(load_with("llama3-tiny", "attention_bias", true),
            "tensor 'model.layers.0.self_attn.q_proj.bias' is missing");
  EXPECT_EQ(
      load("llama3-tiny", [](nlohmann::json& config) { config["rope_scaling"]["rope_type"] = "spiral"; }),
      "rope_scaling.rope_type: 'spiral' is not supported; known: none, linear, llama3, yarn");
  EXPECT_EQ(load_with("deepseek-v3-tiny", "scoring_func", "softmax"),
            "scoring_func: 'softmax' is not supported; known: sigmoid");
  EXPECT_EQ(load_with("deepseek-v3-tiny", "topk_method", "greedy"),
            "topk_method: 'greedy' is not supported; known: noaux_tc");
}

TEST_F(LoadModelTest, WrongSettingsAreRefused) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  EXPECT_EQ(load_with("qwen2-tiny", "num_attention_heads", 0),
            "num_attention_heads: expected 1 to 4096, found 0");
  EXPECT_EQ(load_with("qwen2-tiny", "num_attention_heads", 7),
            "num_key_value_heads: expected a divisor of 7 heads, found 2");
  EXPECT_EQ(load_with("qwen2-tiny", "num_hidden_layers", 2.5),
            "num_hidden_layers: expected an integer, found 2.5");
  EXPECT_EQ(load_with("qwen2-tiny", "num_hidden_layers", int64_t{1} << 50),
            "num_hidden_layers: expected 1 to 4096, found 1125899906842624");
  EXPECT_EQ(load_with("qwen2-tiny", "rms_norm_eps", "small"),
            "rms_norm_eps: expected a number, found \"small\"");
  EXPECT_EQ(load("qwen2-tiny", [](nlohmann::json& config) { config.erase("hidden_size"); }),
            "hidden_size: is missing");
  EXPECT_EQ(load_with("deepseek-v3-tiny", "n_group", 3),
            "n_group: expected a divisor of 16 experts, found 3");
  EXPECT_EQ(load_with("deepseek-v3-tiny", "num_experts_per_tok", 9),
            "num_experts_per_tok: expected at most the 8 experts of 2 groups, found 9");
}

TEST_F(LoadModelTest, TensorsThatDoNotFitAreNamed) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  EXPECT_EQ(load_with("qwen2-tiny", "intermediate_size", 500),
            "tensor 'model.layers.0.mlp.gate_proj.weight': expected shape {500, 256}, found {512, 256}");
  EXPECT_EQ(load(
                "qwen2-tiny", [](nlohmann::json&) {}, "model.layers.1.self_attn.k_proj.bias"),
            "tensor 'model.layers.1.self_attn.k_proj.bias' is missing");
  EXPECT_EQ(load_with("qwen2-tiny", "num_hidden_layers", 3),
            "tensor 'model.layers.2.input_layernorm.weight' is missing");
}

TEST_F(LoadModelTest, InfoCountsWeights) {
  R1_REQUIRE_SHARED("fixtures/deepseek-v3-tiny");
  const auto qwen2 = load_model(ModelFile::open(shared_path("fixtures/qwen2-tiny")));
  EXPECT_EQ(qwen2->info().architecture, "qwen2");
  EXPECT_EQ(qwen2->info().layers, 2);
  EXPECT_EQ(qwen2->info().vocabulary, 512);
  // Layer: norms 512, q 256·256+256, k and v 2·(64·256+64), o 256·256, ffn 3·512·256.
  const int64_t layer = 512 + 65792 + 2 * 16448 + 65536 + 393216;
  EXPECT_EQ(qwen2->info().parameters, 2 * layer + 2 * 512 * 256 + 256);
  EXPECT_EQ(qwen2->info().active_parameters, qwen2->info().parameters - 511 * 256);
  const auto deepseek = load_model(ModelFile::open(shared_path("fixtures/deepseek-v3-tiny")));
  EXPECT_EQ(deepseek->info().parameters - deepseek->info().active_parameters,
            511 * 128 + 2 * 12 * 3 * 64 * 128);  // an idle expert has three 64 × 128 matrices
}

}  // namespace
}  // namespace r1
