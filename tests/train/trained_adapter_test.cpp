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
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"
#include "train/training_pass.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LowRankTest : public testing::TestWithParam<const char*> {
 protected:
  LowRankTest() {}
  static fs::path model_path() { return shared_path(std::string("fixtures/") + GetParam()); }

  static TrainingBatch batch() {
    TrainingBatch out;
    for (const int64_t rows : {19, 40}) {
      out.sequences.push_back({out.rows(), rows, 0, false, true});
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
    auto own = TrainedAdapter::create(file, options);
    for (Parameter& parameter : own->parameters().all()) {
      if (!parameter.name.ends_with("lora_B.weight")) continue;
      for (int64_t i = 0; i < parameter.count; ++i)
        parameter.values[i] = static_cast<float>(0.05 * (2 * random_uniform(9, i) - 1));
    }
    return own;
  }

  std::vector<float> log_probs(const Model& model, const Adapter* adapter) {
    const auto& decoder = dynamic_cast<const Decoder&>(model);
    TrainingCache cache(decoder);
    const TrainingBatch own = batch();
    return TrainingPass(context_, decoder, none_, cache, own, Keep::layer_inputs, adapter).log_probs();
  }

  ThreadPool pool_{2};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::exact};
  WeightGradients none_;
  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

TEST_P(LowRankTest, ANewAdapterChangesNothing) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, {});
  EXPECT_EQ(log_probs(*model, nullptr), log_probs(*model, &adapter->adapter()));
}

TEST_P(LowRankTest, GradientsAreThoseOfTheMergedWeights) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
  const auto file = ModelFile::open(model_path());
  const auto model = load_model(file);
  const auto adapter = trained(*file);
  const TrainingBatch own = batch();
  const std::vector<float> coefficients(own.tokens.size(), -0.1F);
  {
    const auto& decoder = dynamic_cast<const Decoder&>(*model);
    TrainingCache cache(decoder);
    TrainingPass pass(context_, decoder, adapter->parameters().gradients(), cache, own, Keep::layer_inputs,
                      &adapter->adapter());
    pass.backward(coefficients);
  }
  ParameterStore sums;
  const auto merged_file = ModelFile::with_tensors(file, adapter->merged(*file, sums));
  const auto merged = load_model(merged_file);
  {
    const auto& decoder = dynamic_cast<const Decoder&>(*merged);
    TrainingCache cache(decoder);
    TrainingPass pass(context_, decoder, sums.gradients(), cache, own, Keep::everything);
    pass.backward(coefficients);
  }
  // dB = s · dW Aᵀ, dA = s · Bᵀ dW
  const double scale = 6.0 / 4.0;
  int checked = 0;
  for (const Parameter& a : adapter->parameters().all()) {
    if (!a.name.ends_with(".lora_A.weight")) continue;
    const std::string module = a.name.substr(0, a.name.size() - 14);
    const Parameter* b = adapter->parameters().find(module + ".lora_B.weight");
    const Parameter* w = sums.find(module + ".weight");
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

TEST_P(LowRankTest, AppliedAtRunTimeIsTheMergedModel) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
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

TEST_P(LowRankTest, RowsOfABatchHaveTheirOwnAdapter) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
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

TEST_P(LowRankTest, ComesBackFromItsFiles) {
  R1_REQUIRE_SHARED(std::string("fixtures/") + GetParam());
  const auto file = ModelFile::open(model_path());
  const bool latent = std::string(GetParam()) == "deepseek-v3-tiny";
  const std::vector<std::string> targets = latent
                                               ? std::vector<std::string>{"down_proj", "kv_a_proj_with_mqa"}
                                               : std::vector<std::string>{"down_proj", "q_proj"};
  const auto adapter = trained(*file, {.targets = targets});
  adapter->write(folder_, "base");
  const auto again = TrainedAdapter::open(folder_, *file);
  ASSERT_EQ(again->parameters().all().size(), latent ? 12U : 8U);
  for (const Parameter& own : adapter->parameters().all()) {
    const Parameter* other = again->parameters().find(own.name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(std::memcmp(own.values, other->values, own.count * sizeof(float)), 0);
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

INSTANTIATE_TEST_SUITE_P(Models, LowRankTest,
                         testing::Values("qwen2-tiny", "llama3-tiny", "deepseek-v3-tiny"));

}  // namespace
}  // namespace r1
