// LoRA: closed-form checks of gradients, merging, files, and batches in which only some rows have an adapter.
#include "train/trained_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "formats/convert.h"
#include "formats/safetensors.h"
#include "model/adapter_modules.h"
#include "model/gguf_adapter.h"
#include "tests/model/tiny_model.h"
#include "tests/temporary_folder.h"
#include "train/training_pass.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TrainedAdapterTest : public testing::TestWithParam<const char*> {
 protected:
  fs::path model_path() const { return tiny_.path(); }

  static TrainingBatch batch() {
    TrainingBatch out;
    for (const int64_t rows : {19, 40}) {
      out.sequences.push_back({out.rows(), rows, 0});
      for (int64_t i = 0; i < rows; ++i) {
        out.tokens.push_back(static_cast<int32_t>(random_bits(1, out.tokens.size()) % 512));
        out.targets.push_back(static_cast<int32_t>(random_bits(2, out.targets.size()) % 512));
      }
    }
    return out;
  }

  /// An adapter whose B is not zero.
  static std::unique_ptr<TrainedAdapter> trained(const ModelFile& file, LowRankOptions options = {}) {
    options.rank = 4;
    options.alpha = 6;
    auto adapter = TrainedAdapter::create(file, options);
    for (Parameter& parameter : adapter->parameters().all()) {
      if (!parameter.name.ends_with("lora_B.weight")) continue;
      for (int64_t i = 0; i < parameter.count; ++i)
        parameter.values[i] = static_cast<float>(0.05 * (2 * random_uniform(9, i) - 1));
    }
    return adapter;
  }

  std::vector<float> log_probs(const Model& model, const Adapter* adapter) {
    const auto& decoder = dynamic_cast<const Decoder&>(model);
    TrainingCache cache(decoder);
    const TrainingBatch one_batch = batch();
    return TrainingPass(context_, decoder, none_, cache, one_batch, ActivationStorage::layer_inputs, adapter)
        .log_probs();
  }

  const test::TinyModel tiny_{GetParam()};
  ThreadPool pool_{2};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::exact};
  WeightGradients none_;
  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

TEST_P(TrainedAdapterTest, ANewAdapterChangesNothing) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, {});
  EXPECT_EQ(log_probs(*model, nullptr), log_probs(*model, &adapter->adapter()));
}

TEST_P(TrainedAdapterTest, GradientsAreThoseOfTheMergedWeights) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = trained(*file);
  const TrainingBatch one_batch = batch();
  const std::vector<float> coefficients(one_batch.tokens.size(), -0.1F);
  {
    const auto& decoder = dynamic_cast<const Decoder&>(*model);
    TrainingCache cache(decoder);
    TrainingPass pass(context_, decoder, adapter->parameters().gradients(decoder), cache, one_batch,
                      ActivationStorage::layer_inputs, &adapter->adapter());
    pass.backward(coefficients);
  }
  ParameterStore sums;
  const auto merged_file = ModelFile::with_tensors(file, adapter->merged(*file, sums));
  const auto merged = load_model(merged_file);
  {
    const auto& decoder = dynamic_cast<const Decoder&>(*merged);
    TrainingCache cache(decoder);
    TrainingPass pass(context_, decoder, sums.gradients(decoder), cache, one_batch,
                      ActivationStorage::everything);
    pass.backward(coefficients);
  }
  // dB = s · dW Aᵀ, dA = s · Bᵀ dW
  const double scale = 6.0 / 4.0;
  int checked = 0;
  for (const Parameter& a : adapter->parameters().all()) {
    if (!a.name.ends_with(".lora_A.weight")) continue;
    const std::string module = a.name.substr(0, a.name.size() - 14);
    const Parameter* b = adapter->parameters().find(module + ".lora_B.weight");
    const Parameter* w = sums.find(gguf_tensor_of(module));
    ASSERT_NE(b, nullptr);
    ASSERT_NE(w, nullptr) << module;
    const int64_t outputs = b->shape[0], inputs = a.shape[1], rank = a.shape[0];
    double norm_b = 0, error_b = 0, norm_a = 0, error_a = 0;
    for (int64_t k = 0; k < rank; ++k) {
      for (int64_t o = 0; o < outputs; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < inputs; ++i) sum += w->gradient[o * inputs + i] * a.values[k * inputs + i];
        norm_b += sum * sum * scale * scale;
        error_b += std::pow(b->gradient[o * rank + k] - scale * sum, 2);
      }
      for (int64_t i = 0; i < inputs; ++i) {
        double sum = 0;
        for (int64_t o = 0; o < outputs; ++o) sum += w->gradient[o * inputs + i] * b->values[o * rank + k];
        norm_a += sum * sum * scale * scale;
        error_a += std::pow(a.gradient[k * inputs + i] - scale * sum, 2);
      }
    }
    EXPECT_LT(error_b, 1e-8 * norm_b) << module;
    EXPECT_LT(error_a, 1e-8 * norm_a) << module;
    ++checked;
  }
  EXPECT_EQ(static_cast<size_t>(2 * checked), adapter->parameters().all().size());
  EXPECT_GE(checked, 14);
}

TEST_P(TrainedAdapterTest, AppliedAtRunTimeIsTheMergedModel) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = trained(*file);
  ParameterStore sums;
  const auto merged = load_model(ModelFile::with_tensors(file, adapter->merged(*file, sums)));
  const std::vector<float> applied = log_probs(*model, &adapter->adapter());
  const std::vector<float> expected = log_probs(*merged, nullptr);
  const std::vector<float> plain = log_probs(*model, nullptr);
  double change = 0;
  for (size_t i = 0; i < applied.size(); ++i) {
    EXPECT_NEAR(applied[i], expected[i], 2e-4);
    change = std::max<double>(change, std::fabs(applied[i] - plain[i]));
  }
  EXPECT_GT(change, 0.01);
}

TEST_P(TrainedAdapterTest, RowsOfABatchHaveTheirOwnAdapter) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = trained(*file);
  auto logits = [&](const Adapter* first, const Adapter* second) {
    KvCache cache(model->kv_layers(), 8, DType::f32, DType::f32);
    std::vector<int32_t> tokens(30), blocks_a{0}, blocks_b{1}, wanted{3, 9, 10, 29};
    std::iota(tokens.begin(), tokens.end(), 5);
    const SequenceSlice slices[] = {{10, 0, blocks_a, first}, {20, 0, blocks_b, second}};
    std::vector<float> out(wanted.size() * static_cast<size_t>(model->info().vocabulary));
    model->forward(context_, {tokens, slices, wanted}, cache, out.data());
    return out;
  };
  const auto half = static_cast<size_t>(2 * model->info().vocabulary);
  const std::vector<float> mixed = logits(nullptr, &adapter->adapter());
  const std::vector<float> none = logits(nullptr, nullptr);
  const std::vector<float> both = logits(&adapter->adapter(), &adapter->adapter());
  EXPECT_EQ(std::memcmp(mixed.data(), none.data(), half * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(mixed.data() + half, both.data() + half, half * sizeof(float)), 0);
  EXPECT_NE(std::memcmp(none.data() + half, both.data() + half, half * sizeof(float)), 0);
}

TEST_P(TrainedAdapterTest, ComesBackFromItsFiles) {
  const auto file = ModelFile::open(model_path());
  const bool latent = std::string(GetParam()) == "tiny-deepseek";
  const std::vector<std::string> targets = latent
                                               ? std::vector<std::string>{"down_proj", "kv_a_proj_with_mqa"}
                                               : std::vector<std::string>{"down_proj", "q_proj"};
  const auto adapter = trained(*file, {.targets = targets});
  adapter->write(folder_, "base");
  const auto again = TrainedAdapter::open(folder_, *file);
  ASSERT_EQ(again->parameters().all().size(), latent ? 12U : 8U);
  for (const Parameter& parameter : adapter->parameters().all()) {
    const Parameter* other = again->parameters().find(parameter.name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(std::memcmp(parameter.values, other->values, parameter.count * sizeof(float)), 0);
  }
  const nlohmann::json config = nlohmann::json::parse(std::ifstream(folder_ / "adapter_config.json"));
  EXPECT_EQ(config["target_modules"], nlohmann::json(targets));
  nlohmann::json changed = config;
  changed["use_dora"] = true;
  std::ofstream(folder_ / "adapter_config.json") << changed;
  try {
    TrainedAdapter::open(folder_, *file);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("lora_magnitude_vector"));
  }
  changed = config;
  changed["r"] = 5;
  std::ofstream(folder_ / "adapter_config.json") << changed;
  try {
    TrainedAdapter::open(folder_, *file);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected {5, "));
  }
  EXPECT_THROW(TrainedAdapter::create(*file, {.targets = {"c_attn"}}), Error);
}

// An adapter trained on a GGUF file is read by llama.cpp in its own form, and by everybody else in PEFT's.
TEST_P(TrainedAdapterTest, BothFormsOfItsFilesAreTheSameAdapter) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = trained(*file, {.rank_stabilised = true});
  adapter->write(folder_, "base");
  const std::vector<float> expected = log_probs(*model, &adapter->adapter());
  const auto peft = LowRankAdapter::open(folder_, *file);
  EXPECT_EQ(log_probs(*model, &peft->adapter()), expected);
  const auto gguf = LowRankAdapter::open(folder_ / "adapter.gguf", *file);
  EXPECT_EQ(gguf->settings().rank, 4);
  EXPECT_EQ(gguf->modules().size(), adapter->parameters().all().size() / 2);
  const std::vector<float> found = log_probs(*model, &gguf->adapter());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
}

// Merged into a GGUF file; its types stay.
TEST_P(TrainedAdapterTest, AGgufBaseMergesIntoAGgufFile) {
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  trained(*file)->write(folder_, "base");
  const auto adapter = LowRankAdapter::open(folder_, *file);
  const std::vector<float> expected = log_probs(*model, &adapter->adapter());
  EXPECT_EQ(write_merged_gguf(folder_ / "merged.gguf", *file->gguf(), *file, *adapter, std::nullopt),
            static_cast<int64_t>(adapter->modules().size()));
  const auto merged = ModelFile::open(folder_ / "merged.gguf");
  ASSERT_EQ(merged->tensors().size(), file->tensors().size());
  for (const TensorView& tensor : merged->tensors()) {
    EXPECT_EQ(tensor.dtype, file->find(tensor.name)->dtype) << tensor.name;
    EXPECT_EQ(tensor.shape, file->find(tensor.name)->shape) << tensor.name;
  }
  for (const std::string_view key : file->gguf()->keys()) EXPECT_TRUE(merged->gguf()->has(key)) << key;
  const std::vector<float> found = log_probs(*load_model(merged), nullptr);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(Models, TrainedAdapterTest, testing::ValuesIn(test::kTinyShapes));

/// A hub directory and its GGUF twin, whose queries and keys have interleaved rows.
class LlamaGgufTest : public testing::Test {
 protected:
  LlamaGgufTest() {
    nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                             {"model_type", "llama"},
                             {"hidden_act", "silu"},
                             {"hidden_size", 64},
                             {"num_hidden_layers", 2},
                             {"num_attention_heads", 4},
                             {"num_key_value_heads", 2},
                             {"intermediate_size", 96},
                             {"max_position_embeddings", 128},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 10000.0},
                             {"tie_word_embeddings", false},
                             {"vocab_size", 512},
                             {"torch_dtype", "float32"}};
    fs::create_directories(hub_);
    std::ofstream(hub_ / "config.json") << config;
    std::vector<std::pair<std::string, std::vector<int64_t>>> shapes = {
        {"model.embed_tokens.weight", {512, 64}}, {"lm_head.weight", {512, 64}}, {"model.norm.weight", {64}}};
    for (int layer = 0; layer < 2; ++layer) {
      const std::string at = "model.layers." + std::to_string(layer) + ".";
      for (const auto& [name, shape] :
           std::vector<std::pair<std::string, std::vector<int64_t>>>{{"self_attn.q_proj", {64, 64}},
                                                                     {"self_attn.k_proj", {32, 64}},
                                                                     {"self_attn.v_proj", {32, 64}},
                                                                     {"self_attn.o_proj", {64, 64}},
                                                                     {"mlp.gate_proj", {96, 64}},
                                                                     {"mlp.up_proj", {96, 64}},
                                                                     {"mlp.down_proj", {64, 96}},
                                                                     {"input_layernorm", {64}},
                                                                     {"post_attention_layernorm", {64}}})
        shapes.emplace_back(at + name + ".weight", shape);
    }
    SafetensorsWriter writer(hub_ / "model.safetensors");
    for (const auto& [name, shape] : shapes) writer.declare_tensor(name, DType::f32, shape);
    uint64_t seed = 1;
    for (const auto& [name, shape] : shapes) {
      std::vector<float> values(static_cast<size_t>(shape.size() == 1 ? shape[0] : shape[0] * shape[1]));
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = shape.size() == 1 ? 1.0F : static_cast<float>(0.3 * (random_uniform(seed, i) - 0.5));
      writer.append(std::as_bytes(std::span<const float>(values)));
      ++seed;
    }
    writer.finish();
    convert_hub_to_gguf(hub_, folder_.path / "model.gguf", {.type = DType::f32, .name = ""});
  }
  std::vector<float> log_probs(const ModelFile& file, const Adapter* adapter) {
    const auto bound = load_model(std::shared_ptr<const ModelFile>(&file, [](const ModelFile*) {}));
    const auto& decoder = dynamic_cast<const Decoder&>(*bound);
    TrainingCache cache(decoder);
    TrainingBatch batch;
    batch.sequences.push_back({0, 30, 0});
    for (uint64_t i = 0; i < 30; ++i) {
      batch.tokens.push_back(static_cast<int32_t>(random_bits(1, i) % 512));
      batch.targets.push_back(static_cast<int32_t>(random_bits(2, i) % 512));
    }
    return TrainingPass(context_, decoder, none_, cache, batch, ActivationStorage::layer_inputs, adapter)
        .log_probs();
  }

  const test::TemporaryFolder folder_;
  const fs::path hub_ = folder_.path / "hub";
  ThreadPool pool_{1};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::exact};
  WeightGradients none_;
};

TEST_F(LlamaGgufTest, AnAdapterIsTheSameOverEitherForm) {
  const auto hub = ModelFile::open(hub_), gguf = ModelFile::open(folder_.path / "model.gguf");
  const std::vector<float> plain = log_probs(*hub, nullptr);
  const auto made = TrainedAdapter::create(*hub, {.rank = 3, .dora = true});
  for (Parameter& one : made->parameters().all()) {
    for (int64_t i = 0; i < one.count; ++i)
      one.values[i] += static_cast<float>(0.2 * (random_uniform(8, i) - 0.5));
  }
  made->refresh(context_);
  made->write(folder_ / "adapter", "base");
  const auto over_hub = LowRankAdapter::open(folder_ / "adapter", *hub);
  const auto over_gguf = LowRankAdapter::open(folder_ / "adapter", *gguf);
  const std::vector<float> expected = log_probs(*hub, &over_hub->adapter());
  const std::vector<float> found = log_probs(*gguf, &over_gguf->adapter());
  double change = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 2e-4) << i;
    change = std::max<double>(change, std::fabs(expected[i] - plain[i]));
  }
  EXPECT_GT(change, 0.01);
}

TEST_F(LlamaGgufTest, AnAdapterTrainedOnAGgufFileIsWrittenInTheHubsOrder) {
  const auto hub = ModelFile::open(hub_), gguf = ModelFile::open(folder_.path / "model.gguf");
  const auto made = TrainedAdapter::create(*gguf, {.rank = 3});
  for (Parameter& one : made->parameters().all()) {
    for (int64_t i = 0; i < one.count; ++i)
      one.values[i] += static_cast<float>(0.2 * (random_uniform(8, i) - 0.5));
  }
  const std::vector<float> expected = log_probs(*gguf, &made->adapter());
  made->write(folder_ / "adapter", "base");
  const auto over_hub = LowRankAdapter::open(folder_ / "adapter", *hub);
  const std::vector<float> found = log_probs(*hub, &over_hub->adapter());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-4) << i;
  const auto again = LowRankAdapter::open(folder_ / "adapter/adapter.gguf", *gguf);
  EXPECT_EQ(log_probs(*gguf, &again->adapter()), expected);
  EXPECT_THROW(LowRankAdapter::open(folder_ / "adapter/adapter.gguf", *hub), Error);
}

}  // namespace
}  // namespace r1
