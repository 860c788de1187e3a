// Tiny models of each family against PyTorch in float64 (tools/make_family_fixtures.py), as hub directories and
// converted to GGUF; and that a conversion computes what its source computes, whatever form the settings have.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "formats/convert.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
#include "tests/model/model_runner.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kFamilies = fs::path(R1_TEST_FIXTURES) / "families";
constexpr double kTolerance = 1e-3;  // of logits of size 1 to 10, float32 sums in another order

json read(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

std::vector<int32_t> tokens_of(const json& reference) {
  auto tokens = reference["tokens"].get<std::vector<int32_t>>();
  tokens.pop_back();  // the last one is a target only
  return tokens;
}

void convert(const fs::path& directory, const fs::path& output) {
  ConvertOptions options;
  options.type = DType::f32;
  options.threads = 1;
  convert_hub_to_gguf(directory, output, options);
}

class FamilyTest : public testing::TestWithParam<const char*> {
 protected:
  fs::path hub() const { return kFamilies / GetParam(); }
  json reference() const { return read(hub() / "reference.json"); }
  test::TemporaryFolder folder_;
};

TEST_P(FamilyTest, LogitsAgreeWithPyTorchInBothForms) {
  const json expected = reference();
  const std::vector<int32_t> tokens = tokens_of(expected);
  const auto logits = expected["logits"].get<std::vector<float>>();
  convert(hub(), folder_ / "model.gguf");
  for (const fs::path& path : {hub(), folder_ / "model.gguf"}) {
    ModelRunner runner(path, Arithmetic::exact, DType::f32);
    EXPECT_LT(largest_difference(runner.run(tokens, 1000), logits), kTolerance) << path;
  }
}

TEST_P(FamilyTest, ChunksThreadsAndSegmentsDoNotChangeABit) {
  const std::vector<int32_t> tokens = tokens_of(reference());
  for (const auto& [arithmetic, dtype] :
       {std::pair{Arithmetic::exact, DType::f32}, std::pair{Arithmetic::fast, DType::f16},
        std::pair{Arithmetic::fast, DType::q8_0}}) {
    if (dtype == DType::q8_0 && read(hub() / "config.json").value("head_dim", 16) < 32) continue;
    ModelRunner one(hub(), arithmetic, dtype, 1);
    const std::vector<float> whole = one.run(tokens, 1000);
    ModelRunner more(hub(), arithmetic, dtype, 3);
    for (int64_t chunk : {1, 3, 17, 33}) EXPECT_EQ(whole, more.run(tokens, chunk)) << "chunks of " << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyTest,
                         testing::Values("qwen3-tiny", "qwen3-tied-tiny", "mistral-tiny", "mistral-v3-tiny",
                                         "llama32-tiny", "llama-bias-tiny"));

TEST(SlidingWindow, IsTheSameOnEveryInstructionSetAndOverSegments) {
  const fs::path hub = kFamilies / "mistral-tiny";
  // Longer than a segment of keys, so that whole segments lie before the window.
  std::vector<int32_t> tokens(1100);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * 37 % 96);
  ModelRunner scalar(hub, Arithmetic::exact, DType::f32, 1, kernels::InstructionSet::scalar);
  const std::vector<float> whole = scalar.run(tokens, 2000);
  ModelRunner best(hub, Arithmetic::exact, DType::f32, 4);
  EXPECT_EQ(best.run(tokens, 2000), whole);
  EXPECT_EQ(best.run(tokens, 1), whole);
  // Two layers with a window of 16 see 31 positions back: earlier tokens make no difference.
  std::vector<int32_t> other = tokens;
  for (size_t i = 0; i + 31 < tokens.size(); ++i) other[i] = 5;
  std::vector<float> found = best.run(other, 2000);
  const int64_t last = best.vocabulary();
  EXPECT_LT(largest_difference({found.end() - last, found.end()}, {whole.end() - last, whole.end()}), 1e-6);
  other[other.size() - 31] = (other[other.size() - 31] + 1) % 96;
  found = best.run(other, 2000);
  EXPECT_GT(largest_difference({found.end() - last, found.end()}, {whole.end() - last, whole.end()}), 1e-6);
}

/// A family's directory whose settings are changed.
class ConvertedRunTest : public testing::Test {
 protected:
  std::string change(const std::string& family, const std::function<void(json&)>& edit) {
    fs::remove_all(hub_);
    fs::create_directory(hub_);
    fs::copy_file(kFamilies / family / "model.safetensors", hub_ / "model.safetensors");
    json config = read(kFamilies / family / "config.json");
    edit(config);
    std::ofstream(hub_ / "config.json") << config.dump();
    return config.dump();
  }
  std::string failure(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_same(const std::string& what) {
    const std::vector<int32_t> tokens = tokens_of(read(kFamilies / "qwen3-tiny" / "reference.json"));
    const std::string message = failure([&] { convert(hub_, gguf_); });
    ASSERT_EQ(message, "") << what;
    ModelRunner source(hub_, Arithmetic::exact, DType::f32);
    ModelRunner converted(gguf_, Arithmetic::exact, DType::f32);
    EXPECT_LT(largest_difference(source.run(tokens, 1000), converted.run(tokens, 1000)), 1e-4) << what;
  }
  void expect_same_refusal(const std::string& part) {
    const std::string run = failure([&] { load_model(ModelFile::open(hub_)); });
    EXPECT_EQ(failure([&] { convert(hub_, gguf_); }), run);
    EXPECT_NE(run.find(part), std::string::npos) << run;
  }

  test::TemporaryFolder folder_;
  const fs::path hub_ = folder_ / "hub";
  const fs::path gguf_ = folder_ / "model.gguf";
};

TEST_F(ConvertedRunTest, RotationIsTheSameInEveryForm) {
  const json scalings = {
      nullptr,
      json::object(),
      {{"rope_type", "default"}},
      {{"type", "linear"}, {"factor", 4.0}},
      {{"rope_type", "linear"}, {"factor", 2}},
      {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}},
      {{"type", "yarn"},
       {"factor", 4.0},
       {"original_max_position_embeddings", 32},
       {"attention_factor", 1.0}},
      {{"type", "yarn"},
       {"factor", 4.0},
       {"original_max_position_embeddings", 32},
       {"attention_factor", 0.8782}},
      {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}, {"attn_factor", 0.8782}},
      {{"type", "yarn"}, {"factor", 4.0}, {"mscale", 1.0}, {"mscale_all_dim", 1.0}},
      {{"type", "yarn"}, {"factor", 4.0}, {"mscale", 0.7}, {"mscale_all_dim", 1.3}},
      {{"type", "yarn"}, {"original_max_position_embeddings", 128}},
      {{"type", "yarn"}, {"factor", 2.0}, {"beta_fast", 16}, {"beta_slow", 2}, {"attention_factor", nullptr}},
  };
  for (const char* family : {"qwen3-tied-tiny", "llama32-tiny", "mistral-v3-tiny"}) {
    for (const json& scaling : scalings) {
      expect_same(change(family, [&](json& config) { config["rope_scaling"] = scaling; }));
      expect_same(change(family, [&](json& config) {
        config.erase("rope_scaling");
        config["rope_parameters"] = scaling;
        if (scaling.is_object()) config["rope_parameters"]["rope_theta"] = 50000.0;
        config.erase("rope_theta");
      }));
    }
  }
  expect_same(change("llama32-tiny", [](json&) {}));
  change("llama32-tiny", [](json& config) { config["rope_scaling"] = {{"factor", 4.0}}; });
  expect_same_refusal("rope_scaling.type: is missing beside a factor");
  change("llama32-tiny", [](json& config) { config["rope_scaling"] = {{"type", "su"}, {"factor", 4.0}}; });
  expect_same_refusal("'su' is not supported");
}

TEST_F(ConvertedRunTest, AMagnitudeIsNotLost) {
  const std::vector<int32_t> tokens = tokens_of(read(kFamilies / "qwen3-tiny" / "reference.json"));
  const auto run = [&](double factor) {
    change("qwen3-tied-tiny", [&](json& config) {
      config["rope_scaling"] = {{"type", "yarn"},
                                {"factor", 4.0},
                                {"original_max_position_embeddings", 32},
                                {"attention_factor", factor}};
    });
    convert(hub_, gguf_);
    return ModelRunner(gguf_, Arithmetic::exact, DType::f32).run(tokens, 1000);
  };
  EXPECT_GT(largest_difference(run(1.0), run(1.1386)), 0.05);
}

TEST_F(ConvertedRunTest, MissingAndNullSettingsAreTheSameInBoth) {
  for (const char* key : {"rope_theta", "rms_norm_eps", "hidden_act", "max_position_embeddings", "vocab_size",
                          "model_type", "architectures", "torch_dtype"}) {
    for (const char* family : {"qwen3-tied-tiny", "llama32-tiny", "mistral-tiny"}) {
      expect_same(change(family, [&](json& config) { config.erase(key); }));
      expect_same(change(family, [&](json& config) { config[key] = nullptr; }));
    }
  }
  expect_same(change("mistral-tiny", [](json& config) { config["quantization_config"] = nullptr; }));
  expect_same(change("mistral-tiny", [](json& config) { config["sliding_window"] = nullptr; }));
  expect_same(change("llama-bias-tiny", [](json&) {}));
  change("llama32-tiny", [](json& config) { config.erase("hidden_size"); });
  expect_same_refusal("hidden_size: is missing");
  change("llama-bias-tiny", [](json& config) { config["attention_bias"] = false; });
  expect_same_refusal("self_attn.k_proj.bias' has no place");
  change("qwen3-tiny", [](json& config) { config["model_type"] = "llama", config["num_hidden_layers"] = 1; });
  expect_same_refusal("self_attn.k_norm.weight' has no place");
}

// Without num_key_value_heads every head has keys and values of its own: here each is given to the two that shared it.
TEST_F(ConvertedRunTest, WithoutANumberOfKeyHeadsEachHeadHasItsOwn) {
  const std::vector<int32_t> tokens = tokens_of(read(kFamilies / "qwen3-tiny" / "reference.json"));
  change("llama32-tiny", [](json&) {});
  const std::vector<float> shared = ModelRunner(hub_, Arithmetic::exact, DType::f32).run(tokens, 1000);
  int64_t head_rows = 0;
  change("llama32-tiny", [&](json& config) {
    head_rows = config.value(
        "head_dim", config["hidden_size"].get<int64_t>() / config["num_attention_heads"].get<int64_t>());
    config.erase("num_key_value_heads");
  });
  const SafetensorsFile file = SafetensorsFile::open(kFamilies / "llama32-tiny" / "model.safetensors");
  SafetensorsWriter writer(hub_ / "model.safetensors");
  const auto is_shared = [](const TensorView& tensor) {
    return tensor.name.find("k_proj") != std::string::npos || tensor.name.find("v_proj") != std::string::npos;
  };
  for (const TensorView& tensor : file.tensors()) {
    std::vector<int64_t> shape = tensor.shape;
    if (is_shared(tensor)) shape[0] *= 2;
    writer.declare_tensor(tensor.name, tensor.dtype, shape);
  }
  for (const TensorView& tensor : file.tensors()) {
    const size_t part =
        is_shared(tensor) ? tensor.bytes / static_cast<size_t>(tensor.shape[0] / head_rows) : tensor.bytes;
    for (size_t at = 0; at < tensor.bytes; at += part) {
      for (int times = is_shared(tensor) ? 2 : 1; times > 0; --times) writer.append({tensor.data + at, part});
    }
  }
  writer.finish();
  expect_same("heads of their own");
  const std::vector<float> own = ModelRunner(hub_, Arithmetic::exact, DType::f32).run(tokens, 1000);
  EXPECT_LT(largest_difference(own, shared), 1e-4);
}

TEST_F(ConvertedRunTest, TensorsThatAModelHasNoPlaceForAreRefusedByName) {
  change("llama32-tiny", [](json&) {});
  convert(hub_, gguf_);
  const std::vector<std::string> fewer = {"llama.block_count=int:1"};
  const std::string refusal = failure([&] { load_model(ModelFile::open(gguf_, fewer)); });
  EXPECT_NE(refusal.find("blk.1."), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("expected a layer below 1 (block_count)"), std::string::npos) << refusal;
  const GgufFile source = GgufFile::open(gguf_);
  const fs::path changed = folder_ / "changed.gguf";
  GgufWriter writer(changed);
  for (const std::string_view key : source.keys()) writer.copy(key, *source.find_value(key));
  for (const TensorView& tensor : source.tensors())
    writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
  const int64_t size = 16;
  writer.declare_tensor("blk.0.attn_q_norm.weight", DType::f32, {&size, 1});
  for (const TensorView& tensor : source.tensors()) writer.append({tensor.data, tensor.bytes});
  const std::vector<float> ones(16, 1);
  writer.append(std::as_bytes(std::span(ones)));
  writer.finish();
  const std::string norm = failure([&] { load_model(ModelFile::open(changed)); });
  EXPECT_NE(norm.find("blk.0.attn_q_norm.weight' has no place"), std::string::npos) << norm;
}

// As llama.cpp reads them.
TEST_F(ConvertedRunTest, GgufKeysThatWritersLeaveOut) {
  const std::vector<int32_t> tokens = tokens_of(read(kFamilies / "qwen3-tiny" / "reference.json"));
  const auto run = [&](const std::vector<std::string>& keys) {
    const GgufFile source = GgufFile::open(gguf_);
    const fs::path changed = folder_ / "changed.gguf";
    GgufWriter writer(changed);
    for (const std::string_view key : source.keys()) {
      if (!key.starts_with("llama.rope.scaling.")) writer.copy(key, *source.find_value(key));
    }
    for (const std::string& key : keys) {
      const size_t at = key.find('=');
      const std::string value = key.substr(at + 1), name = "llama.rope.scaling." + key.substr(0, at);
      if (name.ends_with("type")) {
        writer.set_string(name, value);
      } else if (name.ends_with("length")) {
        writer.set_u32(name, static_cast<uint32_t>(std::stoul(value)));
      } else {
        writer.set_f32(name, std::stof(value));
      }
    }
    for (const TensorView& tensor : source.tensors()) {
      std::vector<int64_t> shape = tensor.shape;
      if (tensor.name.ends_with("norm.weight"))
        shape.insert(shape.begin(), 1);  // {64, 1}, as some writers have it
      writer.declare_tensor(tensor.name, tensor.dtype, shape);
    }
    for (const TensorView& tensor : source.tensors()) writer.append({tensor.data, tensor.bytes});
    writer.finish();
    return ModelRunner(changed, Arithmetic::exact, DType::f32).run(tokens, 1000);
  };
  const auto length = [&](json& config) { return config["max_position_embeddings"].get<int64_t>(); };
  std::string context;
  change("llama32-tiny", [&](json& config) {
    context = std::to_string(length(config));
    config.erase("rope_scaling");
  });
  convert(hub_, gguf_);
  const std::vector<float> plain = run({});
  EXPECT_EQ(run({"factor=4"}), run({"type=linear", "factor=4"})) << "a factor without a type is linear";
  EXPECT_GT(largest_difference(run({"factor=4"}), plain), 1e-3);
  EXPECT_EQ(run({"type=yarn", "factor=4"}),
            run({"type=yarn", "factor=4", "original_context_length=" + context}));
  EXPECT_GT(largest_difference(run({"type=yarn", "factor=4"}), plain), 1e-3);
  EXPECT_EQ(run({"type=none", "factor=4"}), plain);
}

TEST_F(ConvertedRunTest, NamesWithoutTheirPrefixAreCompleted) {
  change("qwen3-tied-tiny", [](json&) {});
  const SafetensorsFile file = SafetensorsFile::open(kFamilies / "qwen3-tied-tiny" / "model.safetensors");
  SafetensorsWriter writer(hub_ / "model.safetensors");
  const std::string prefix = "model.";
  for (const TensorView& tensor : file.tensors())
    writer.declare_tensor(tensor.name.substr(prefix.size()), tensor.dtype, tensor.shape);
  for (const TensorView& tensor : file.tensors()) writer.append({tensor.data, tensor.bytes});
  writer.finish();
  expect_same("no prefix");
}

TEST_F(ConvertedRunTest, OneFileIsReadBeforeAnOldIndex) {
  change("qwen3-tied-tiny", [](json&) {});
  std::ofstream(hub_ / "model.safetensors.index.json")
      << R"({"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}})";
  expect_same("an index of shards that are gone");
  std::vector<std::string> remarks;
  ModelLoadOptions options;
  options.remark = [&](const std::string& text) { remarks.push_back(text); };
  load_model(ModelFile::open(hub_), options);
  ASSERT_EQ(remarks.size(), 1U);
  EXPECT_NE(remarks[0].find("model.safetensors is read; model.safetensors.index.json"), std::string::npos);
  fs::remove(gguf_);
  fs::create_symlink(hub_ / "model.safetensors", gguf_);
  EXPECT_NE(failure([&] { convert(hub_, gguf_); }).find("would write over what is read"), std::string::npos);
}

}  // namespace
}  // namespace r1
