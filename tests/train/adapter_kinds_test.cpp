// The kinds of low-rank adapters: DoRA, PiSSA, dropout, with a reward model's head; what comes from
// elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "tests/model/tiny_model.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"
#include "tests/train/tiny_training.h"
#include "train/trained_adapter.h"
#include "train/trainer.h"
#include "train/truncated_svd.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Kind {
  const char* name;
  LowRankOptions options;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

TrainingBatch one_batch(bool pairs = false) {
  TrainingBatch out;
  for (const int64_t rows : {19, 41}) {
    out.sequences.push_back({out.rows(), rows, 0, pairs && rows == 41 ? 0.0 : 1.0});
    for (int64_t i = 0; i < rows; ++i) {
      out.tokens.push_back(static_cast<int32_t>(random_bits(1, out.tokens.size()) % 512));
      out.targets.push_back(static_cast<int32_t>(random_bits(2, out.targets.size()) % 512));
    }
  }
  return out;
}

class OneBatch final : public BatchSource {
 public:
  explicit OneBatch(bool pairs = false) : batch_(one_batch(pairs)) {}
  int64_t batches(int64_t) const override { return 4; }
  uint64_t fingerprint() const override { return 5; }
  TrainingBatch batch(int64_t, int64_t) const override { return batch_; }

 private:
  TrainingBatch batch_;
};

class AdapterFixture {
 protected:
  std::vector<float> log_probs(const Model& model, const Adapter* adapter) {
    const auto& decoder = dynamic_cast<const Decoder&>(model);
    TrainingCache cache(decoder);
    const TrainingBatch batch = one_batch();
    return TrainingPass(context_, decoder, none_, cache, batch, ActivationStorage::layer_inputs, adapter)
        .log_probs();
  }

  std::vector<float> gradients(const Model& model, TrainedAdapter& adapter, ActivationStorage storage) {
    adapter.parameters().clear_gradients(context_);
    const auto& decoder = dynamic_cast<const Decoder&>(model);
    TrainingCache cache(decoder);
    const TrainingBatch batch = one_batch();
    TrainingPass pass(context_, decoder, adapter.parameters().gradients(decoder), cache, batch, storage,
                      &adapter.adapter());
    pass.backward(std::vector<float>(batch.tokens.size(), -0.1F));
    std::vector<float> all;
    for (const Parameter& one : adapter.parameters().all())
      all.insert(all.end(), one.gradient, one.gradient + one.count);
    return all;
  }

  /// Every parameter moved a little.
  void move(TrainedAdapter& adapter) {
    for (Parameter& parameter : adapter.parameters().all()) {
      for (int64_t i = 0; i < parameter.count; ++i)
        parameter.values[i] +=
            static_cast<float>(0.05 * (2 * random_uniform(9, static_cast<uint64_t>(i)) - 1));
    }
    adapter.refresh(context_);
  }

  TrainingOptions training(int64_t steps) const {
    TrainingOptions options;
    options.max_steps = steps;
    options.learning_rate = 1e-3;
    options.schedule = Schedule::constant;
    options.warmup_share = 0;
    options.save_steps = 0;
    options.output = folder_.string();
    return options;
  }

  const test::TinyModel tiny_{"tiny-qwen2"};
  ThreadPool pool_{2};
  Context context_{pool_, kernels::select_kernels(), Arithmetic::exact};
  WeightGradients none_;
  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

void expect_near(const std::vector<float>& a, const std::vector<float>& b, double limit) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], limit) << i;
}

class AdapterKindsTest : public AdapterFixture, public testing::TestWithParam<Kind> {};

TEST_P(AdapterKindsTest, ANewOneChangesNothing) {
  const auto file = ModelFile::open(tiny_.path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, GetParam().options);
  expect_near(log_probs(*model, &adapter->adapter()), log_probs(*model, nullptr), 5e-5);
}

TEST_P(AdapterKindsTest, AppliedAtRunTimeIsTheMergedModelAlsoFromItsFiles) {
  const auto file = ModelFile::open(tiny_.path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, GetParam().options);
  move(*adapter);
  const std::vector<float> applied = log_probs(*model, &adapter->adapter());
  double change = 0;
  const std::vector<float> plain = log_probs(*model, nullptr);
  for (size_t i = 0; i < applied.size(); ++i)
    change = std::max<double>(change, std::fabs(applied[i] - plain[i]));
  EXPECT_GT(change, 0.02);

  ParameterStore sums;
  const auto merged = load_model(ModelFile::with_tensors(file, adapter->merged(*file, sums)));
  expect_near(applied, log_probs(*merged, nullptr), 3e-4);

  adapter->write(folder_, "base");
  const auto again = TrainedAdapter::open(folder_, *file);
  expect_near(log_probs(*model, &again->adapter()), applied, 5e-5);
  ParameterStore more;
  const auto merged_again = load_model(ModelFile::with_tensors(file, again->merged(*file, more)));
  expect_near(applied, log_probs(*merged_again, nullptr), 3e-4);
}

TEST_P(AdapterKindsTest, GradientsAreTheSameBitsWhenLayersRunAgain) {
  const auto file = ModelFile::open(tiny_.path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, GetParam().options);
  move(*adapter);
  adapter->adapter().set_dropout({GetParam().options.dropout, 17});
  const std::vector<float> first = gradients(*model, *adapter, ActivationStorage::everything);
  EXPECT_EQ(first, gradients(*model, *adapter, ActivationStorage::layer_inputs));
  if (GetParam().options.dropout == 0) return;
  adapter->adapter().set_dropout({GetParam().options.dropout, 18});
  EXPECT_NE(first, gradients(*model, *adapter, ActivationStorage::layer_inputs));
}

TEST_P(AdapterKindsTest, LearnsAndResumesBitIdentically) {
  const auto file = ModelFile::open(tiny_.path());
  const auto model = load_model(file);
  const OneBatch source;
  auto train = [&](int64_t stop_after, bool resume, std::vector<double>* losses) {
    const auto adapter = TrainedAdapter::create(*file, GetParam().options);
    TrainingOptions options = training(8);
    options.lora.dropout = GetParam().options.dropout;
    TrainerHooks hooks;
    hooks.on_step = [&](const StepReport& report) { losses->push_back(report.loss); };
    hooks.stop_requested = [&] { return static_cast<int64_t>(losses->size()) == stop_after; };
    TrainerParts parts;
    parts.adapter = &adapter->adapter();
    parts.weights_changed = [&](Context& used) { adapter->refresh(used); };
    Trainer trainer(context_, dynamic_cast<const Decoder&>(*model), adapter->parameters(), options, source,
                    nullptr, ActivationStorage::layer_inputs, hooks, parts);
    EXPECT_EQ(resume && trainer.resume(), resume);
    trainer.run();
    std::vector<float> all;
    for (const Parameter& one : adapter->parameters().all())
      all.insert(all.end(), one.values, one.values + one.count);
    return all;
  };
  std::vector<double> losses, before, after;
  const std::vector<float> straight = train(-1, false, &losses);
  EXPECT_LT(losses.back(), losses.front() - 0.02);
  fs::remove_all(folder_);
  train(5, false, &before);
  const std::vector<float> resumed = train(-1, true, &after);
  EXPECT_EQ(after.size(), 3U);
  EXPECT_EQ(std::memcmp(straight.data(), resumed.data(), straight.size() * sizeof(float)), 0);
}

LowRankOptions kind(bool dora, bool pissa, double dropout, bool stabilised = false) {
  LowRankOptions options;
  options.rank = 4;
  options.alpha = 6;
  options.dora = dora;
  options.pissa = pissa;
  options.dropout = dropout;
  options.rank_stabilised = stabilised;
  return options;
}
INSTANTIATE_TEST_SUITE_P(Kinds, AdapterKindsTest,
                         testing::Values(Kind{"LoRA", kind(false, false, 0)},
                                         Kind{"rsLoRA", kind(false, false, 0, true)},
                                         Kind{"Dropout", kind(false, false, 0.25)},
                                         Kind{"DoRA", kind(true, false, 0)},
                                         Kind{"PiSSA", kind(false, true, 0)},
                                         Kind{"PiSSAStabilisedWithDropout", kind(false, true, 0.1, true)}),
                         [](const auto& instance) { return instance.param.name; });

class AdapterTest : public AdapterFixture, public testing::Test {};

TEST_F(AdapterTest, DropoutZeroesItsShareAndKeepsTheMean) {
  std::vector<float> all(200000), part(77);
  dropout_factors({0.3, 5}, 2, 0, static_cast<int64_t>(all.size()), all.data());
  double zeros = 0, sum = 0;
  for (const float value : all) {
    zeros += value == 0 ? 1 : 0;
    sum += value;
  }
  const auto count = static_cast<double>(all.size());
  EXPECT_NEAR(zeros / count, 0.3, 0.005);
  EXPECT_NEAR(sum / count, 1, 0.01);
  dropout_factors({0.3, 5}, 2, 1001, 77, part.data());  // from any place on
  EXPECT_EQ(std::memcmp(part.data(), all.data() + 1001, sizeof(float) * 77), 0);
  dropout_factors({0.3, 5}, 3, 1001, 77, part.data());
  EXPECT_NE(std::memcmp(part.data(), all.data() + 1001, sizeof(float) * 77), 0);
}

TEST_F(AdapterTest, TruncatedSvdFindsKnownValues) {
  // M = Σ 2^-k u_k v_kᵀ with cosines as orthonormal vectors (the discrete cosine transform).
  constexpr int64_t kRows = 40, kColumns = 64, kRank = 5, kTerms = 20;
  auto cosine = [](int64_t k, int64_t i, int64_t n) {
    return std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(n)) *
           std::cos(M_PI * static_cast<double>(k * (2 * i + 1)) / static_cast<double>(2 * n));
  };
  std::vector<float> matrix(kRows * kColumns);
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < kTerms; ++k)
      sum += std::pow(2.0, -k) * cosine(k, i / kColumns, kRows) * cosine(k, i % kColumns, kColumns);
    matrix[i] = static_cast<float>(sum);
  }
  const TruncatedSvd svd = truncated_svd(context_, matrix.data(), kRows, kColumns, kRank, 3);
  for (int64_t k = 0; k < kRank; ++k) {
    EXPECT_NEAR(svd.values[k], std::pow(2.0, -k), 1e-6);
    double left = 0, right = 0;
    for (int64_t i = 0; i < kRows; ++i) left += svd.left[k * kRows + i] * cosine(k, i, kRows);
    for (int64_t i = 0; i < kColumns; ++i) right += svd.right[k * kColumns + i] * cosine(k, i, kColumns);
    EXPECT_NEAR(std::fabs(left), 1, 1e-5);
    EXPECT_NEAR(left * right, 1, 1e-5);
  }
}

TEST_F(AdapterTest, PissaBeginsWithThePrincipalPart) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  // Squared norms of what PyTorch's SVD leaves of each matrix at rank 4.
  const nlohmann::json expected =
      nlohmann::json::parse(std::ifstream(std::string(R1_TEST_FIXTURES) + "/adapters/pissa.json"));
  const auto file = ModelFile::open(shared_path("fixtures/qwen2-tiny"));
  const auto adapter = TrainedAdapter::create(*file, kind(false, true, 0));
  int checked = 0;
  for (const auto& [module, value] : expected["left_at_rank_4"].items()) {
    ParameterStore store;
    const Parameter& w = store.add_copy(*file->find(module + ".weight"));
    const Parameter* a = adapter->parameters().find(module + ".lora_A.weight");
    const Parameter* b = adapter->parameters().find(module + ".lora_B.weight");
    ASSERT_NE(a, nullptr) << module;
    double left = 0;
    for (int64_t i = 0; i < w.count; ++i) {
      double difference = w.values[i];
      const int64_t o = i / w.shape[1], c = i % w.shape[1];
      for (int64_t k = 0; k < 4; ++k)
        difference -= 1.5 * b->values[o * 4 + k] * a->values[k * w.shape[1] + c];
      left += difference * difference;
    }
    // The matrices are random: the spectrum is flat, so that directions near the fourth are nearly as good.
    EXPECT_GE(left, value.get<double>() * (1 - 1e-5)) << module;
    EXPECT_LE(left, value.get<double>() * (1 + 2e-3)) << module;
    ++checked;
  }
  EXPECT_EQ(checked, 14);
}

TEST_F(AdapterTest, WhatDoesNotGoTogetherIsRefused) {
  const auto file = ModelFile::open(tiny_.path());
  EXPECT_THROW(TrainedAdapter::create(*file, kind(true, true, 0)), Error);
  EXPECT_THROW(TrainedAdapter::create(*file, kind(true, false, 0.1)), Error);
  EXPECT_THROW(TrainedAdapter::create(*file, kind(false, false, 1)), Error);
  LowRankOptions wide = kind(false, true, 0);
  wide.rank = 100000;
  EXPECT_THROW(TrainedAdapter::create(*file, wide), Error);
}

TEST_F(AdapterTest, ARewardModelsHeadIsTrainedAndKeptWithIt) {
  const auto file = ModelFile::open(tiny_.path());
  const auto model = load_model(file);
  const auto adapter = TrainedAdapter::create(*file, kind(false, false, 0));
  const int64_t hidden = model->info().hidden;
  Parameter& head = adapter->parameters().add(kRewardHead, {1, hidden});
  std::vector<double> losses;
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& report) { losses.push_back(report.loss); };
  TrainerParts parts;
  parts.stage = TrainingStage::reward;
  parts.adapter = &adapter->adapter();
  parts.score = &head;
  const OneBatch source(true);
  TrainingOptions options = training(12);
  options.learning_rate = 5e-3;
  Trainer trainer(context_, dynamic_cast<const Decoder&>(*model), adapter->parameters(), options, source,
                  nullptr, ActivationStorage::layer_inputs, hooks, parts);
  trainer.run();
  EXPECT_NEAR(losses.front(), std::log(2.0), 1e-5);
  EXPECT_LT(losses.back(), 0.2);
  adapter->write(folder_ / "adapter", "base");
  const nlohmann::json config = nlohmann::json::parse(std::ifstream(folder_ / "adapter/adapter_config.json"));
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  EXPECT_EQ(config["modules_to_save"], nlohmann::json({"score"}));
  const auto again = TrainedAdapter::open(folder_ / "adapter", *file);
  const size_t bytes = static_cast<size_t>(hidden) * sizeof(float);
  const Parameter* kept = again->parameters().find(kRewardHead);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(std::memcmp(kept->values, head.values, bytes), 0);
  ParameterStore sums;
  const std::vector<TensorView> merged = again->merged(*file, sums);
  EXPECT_EQ(merged.size(), file->tensors().size() + 1);
  EXPECT_EQ(merged.back().name, kRewardHead);
  EXPECT_EQ(std::memcmp(merged.back().data, head.values, bytes), 0);
}

// tools/make_peft_adapters.py writes PEFT's layout by hand and computes the loss with PyTorch.
TEST_F(AdapterTest, AdaptersFromElsewhereLoadAndComputeWhatPyTorchDoes) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  const auto file = ModelFile::open(shared_path("fixtures/qwen2-tiny"));
  const auto model = load_model(file);
  for (const char* name : {"lora", "rslora", "dora"}) {
    const fs::path folder = fs::path(R1_TEST_FIXTURES) / "adapters" / name;
    const nlohmann::json expected = nlohmann::json::parse(std::ifstream(folder / "expected.json"));
    const auto adapter = TrainedAdapter::open(folder, *file);
    TrainingBatch batch;
    const auto tokens = expected["tokens"].get<std::vector<int32_t>>();
    batch.tokens.assign(tokens.begin(), tokens.end() - 1);
    batch.targets.assign(tokens.begin() + 1, tokens.end());
    batch.sequences.push_back({0, batch.rows(), 0});
    const auto& decoder = dynamic_cast<const Decoder&>(*model);
    TrainingCache cache(decoder);
    const std::vector<float> found = TrainingPass(context_, decoder, none_, cache, batch,
                                                  ActivationStorage::layer_inputs, &adapter->adapter())
                                         .log_probs();
    const auto log_probs = expected["log_probs"].get<std::vector<double>>();
    ASSERT_EQ(found.size(), log_probs.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], log_probs[i], 5e-5) << name << " " << i;
    EXPECT_GT(std::fabs(expected["log_probs"][0].get<double>() - expected["without"][0].get<double>()), 1e-3);
  }
}

TEST_F(AdapterTest, WhatIsUnknownInAnAdapterIsNamed) {
  TrainingOptions shape = tiny_options(folder_.string());  // that of the adapter in the fixtures
  shape.hidden = 256;
  shape.heads = 8;
  const TinyRun base(shape);
  const auto file = ModelFile::in_memory(tiny_config(shape), base.store.views());
  const fs::path source = fs::path(R1_TEST_FIXTURES) / "adapters" / "lora";
  const nlohmann::json config = nlohmann::json::parse(std::ifstream(source / "adapter_config.json"));
  auto error_of = [&](const std::string& key, const nlohmann::json& value, const std::string& tensor) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    nlohmann::json changed = config;
    if (!key.empty()) changed[key] = value;
    std::ofstream(folder_ / "adapter_config.json") << changed;
    const SafetensorsFile weights = SafetensorsFile::open(source / "adapter_model.safetensors");
    SafetensorsWriter writer(folder_ / "adapter_model.safetensors");
    const std::vector<float> more(4);
    const int64_t count = 4;
    for (const TensorView& one : weights.tensors()) writer.declare_tensor(one.name, one.dtype, one.shape);
    if (!tensor.empty()) writer.declare_tensor(tensor, DType::f32, {&count, 1});
    for (const TensorView& one : weights.tensors()) writer.append({one.data, one.bytes});
    if (!tensor.empty()) writer.append(std::as_bytes(std::span<const float>(more)));
    writer.finish();
    try {
      TrainedAdapter::open(folder_, *file);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(error_of("", {}, ""), "accepted");
  const std::string tensor = "base_model.model.model.layers.0.mlp.router.lora_A.weight";
  EXPECT_THAT(error_of("", {}, tensor), HasSubstr(tensor));
  EXPECT_THAT(error_of("rank_pattern", {{"q_proj", 8}}, ""), HasSubstr("rank_pattern"));
  EXPECT_THAT(error_of("alpha_pattern", {{"q_proj", 1.5}}, ""), HasSubstr("alpha_pattern"));
  // Patterns that give modules what all have, and lists of nothing.
  EXPECT_EQ(error_of("rank_pattern", {{"q_proj", config["r"]}}, ""), "accepted");
  EXPECT_EQ(
      error_of("alpha_pattern", {{"q_proj", config["lora_alpha"]}, {"v_proj", config["lora_alpha"]}}, ""),
      "accepted");
  EXPECT_EQ(error_of("alora_invocation_tokens", nlohmann::json::array(), ""), "accepted");
  EXPECT_THAT(error_of("alora_invocation_tokens", {1, 2}, ""), HasSubstr("alora_invocation_tokens"));
  EXPECT_EQ(error_of("init_lora_weights", "orthogonal", ""), "accepted");
  EXPECT_THAT(error_of("", {}, "base_model.model.model.embed_tokens.weight"), HasSubstr("embeddings"));
  EXPECT_THAT(error_of("modules_to_save", {"lm_head"}, ""), HasSubstr("modules_to_save"));
  EXPECT_THAT(error_of("init_lora_weights", "pissa", ""), HasSubstr("init_lora_weights"));
  EXPECT_THAT(error_of("peft_type", "IA3", ""), HasSubstr("peft_type"));
  EXPECT_THAT(error_of("use_dora", true, ""), HasSubstr("lora_magnitude_vector"));
}

}  // namespace
}  // namespace r1
