// What runs with an adapter promise: dropout, LoRA+, the reference of preferences.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tests/train/training_promises.h"
#include "train/objective.h"
#include "train/trained_adapter.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

/// An adapter over the tiny model, whose weights stay as they are.
struct TinyAdapter {
  TinyAdapter(const TrainingOptions& options, LowRankOptions lora) : base(options) {
    lora.rank = 2;
    file = ModelFile::in_memory(tiny_config(options), base.store.views());
    model = load_model(file);
    adapter = TrainedAdapter::create(*file, lora);
  }
  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }
  Parameter& find(std::string_view end) {
    for (Parameter& parameter : adapter->parameters().all()) {
      if (parameter.name.ends_with(end)) return parameter;
    }
    throw std::logic_error("no such parameter");
  }

  TinyRun base;
  std::shared_ptr<const ModelFile> file;
  std::unique_ptr<Model> model;
  std::unique_ptr<TrainedAdapter> adapter;
};

std::vector<float> values_of(const ParameterStore& store) {
  std::vector<float> all;
  for (const Parameter& one : store.all()) all.insert(all.end(), one.values, one.values + one.count);
  return all;
}

TEST_F(TrainingPromisesTest, DropoutIsOffInEvaluationAndByTheSeedInTraining) {
  options_.lora.dropout = 0.5;
  options_.max_steps = 3;
  const CountingSource source(4, 5);
  auto weights = [&](uint64_t seed, double* evaluation) {
    options_.seed = seed;
    TrainingOptions base = options_;
    base.seed = 1;  // the same base and the same first adapter
    TinyAdapter tiny(base, {.dropout = 0.5});
    TrainerParts parts;
    parts.adapter = &tiny.adapter->adapter();
    Trainer trainer(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), options_, source, nullptr,
                    ActivationStorage::everything, {}, parts);
    trainer.run();
    fs::remove_all(folder_);
    *evaluation = trainer.evaluate(source).loss;
    EXPECT_EQ(trainer.evaluate(source).loss, *evaluation);
    // Without dropout at all.
    tiny.adapter->adapter().set_dropout({0, 0});
    TrainingOptions off = options_;
    off.lora.dropout = 0;
    Trainer plain(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), off, source, nullptr,
                  ActivationStorage::everything, {}, parts);
    EXPECT_EQ(plain.evaluate(source).loss, *evaluation);
    return values_of(tiny.adapter->parameters());
  };
  double evaluation = 0;
  const std::vector<float> first = weights(1, &evaluation);
  EXPECT_EQ(weights(1, &evaluation), first);
  EXPECT_NE(weights(2, &evaluation), first);
}

TEST_F(TrainingPromisesTest, DropoutDiffersFromPassToPass) {
  options_.lora.dropout = 0.5;
  TinyAdapter tiny(options_, {.dropout = 0.5});
  for (float* b = tiny.find("lora_B.weight").values; b != tiny.find("lora_B.weight").values + 4; ++b)
    *b = 0.3F;
  TrainingStep step(tiny.base.context,
                    {&tiny.decoder(), &tiny.adapter->parameters(), &tiny.adapter->adapter(), 0.5, 3},
                    options_, ActivationStorage::everything);
  const TrainingBatch batch = CountingSource(4, 5).batch(0, 0);
  const std::vector<float> off = step.log_probs(batch, step.policy());
  step.begin(1, 0);
  const std::vector<float> first = step.log_probs(batch, step.policy());
  step.next_pass();
  const std::vector<float> second = step.log_probs(batch, step.policy());
  step.begin(1, 0);
  EXPECT_EQ(step.log_probs(batch, step.policy()), first);
  EXPECT_NE(first, off);
  EXPECT_NE(first, second);
}

TEST_F(TrainingPromisesTest, LoraPlusLearnsBFasterByItsRatio) {
  const CountingSource source(4, 5);
  options_.max_steps = 1;
  auto largest_b = [&](double ratio) {
    TinyAdapter tiny(options_, {.plus_ratio = ratio});
    TrainerParts parts;
    parts.adapter = &tiny.adapter->adapter();
    Trainer(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), options_, source, nullptr,
            ActivationStorage::everything, {}, parts)
        .run();
    double largest = 0;
    for (const Parameter& one : tiny.adapter->parameters().all()) {
      if (!one.name.ends_with("lora_B.weight")) continue;
      for (int64_t i = 0; i < one.count; ++i) largest = std::max<double>(largest, std::fabs(one.values[i]));
    }
    fs::remove_all(folder_);
    return largest;
  };
  // Adam's first step is the learning rate in each value; B begins at zero.
  EXPECT_NEAR(largest_b(1), options_.learning_rate, 1e-5);
  EXPECT_NEAR(largest_b(4), 4 * options_.learning_rate, 1e-5);
}

/// Pairs of the counting source's kind.
TEST_F(TrainingPromisesTest, APreferenceRunWithAnAdapterIsMeasuredAgainstTheModelWithoutIt) {
  options_.max_steps = 8;
  options_.learning_rate = 5e-3;
  const PairSource source;
  TinyAdapter tiny(options_, {});
  TrainerParts parts;
  parts.stage = TrainingStage::dpo;
  parts.adapter = &tiny.adapter->adapter();
  parts.reference = &tiny.decoder();
  std::vector<double> losses;
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& report) { losses.push_back(report.loss); };
  Trainer(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), options_, source, nullptr,
          ActivationStorage::layer_inputs, hooks, parts)
      .run();
  EXPECT_NEAR(losses.front(), std::log(2.0), 1e-6);
  EXPECT_LT(losses.back(), std::log(2.0) - 0.01);  // it would stay there if the reference moved along
}

// A run over an adapter began with the loss of a policy that has already moved from its reference.
TEST_F(TrainingPromisesTest, APreferenceRunThatContinuesAnAdapterBeginsAtIt) {
  const PairSource source;
  for (const TrainingStage stage : {TrainingStage::dpo, TrainingStage::kto}) {
    TinyAdapter tiny(options_, {});
    for (Parameter& one : tiny.adapter->parameters().all()) {
      for (int64_t i = 0; i < one.count; ++i)
        one.values[i] += static_cast<float>(0.2 * (random_uniform(3, i) - 0.5));
    }
    tiny.adapter->write(folder_ / "first", "base");
    const auto first = LowRankAdapter::open(folder_ / "first", *tiny.file);
    TrainerParts parts;
    parts.stage = stage;
    parts.adapter = &tiny.adapter->adapter();
    parts.reference = &tiny.decoder();
    auto metrics = [&] {
      Trainer trainer(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), options_, source,
                      nullptr, ActivationStorage::layer_inputs, {}, parts);
      std::map<std::string, double> values;
      for (const auto& [name, value] : trainer.evaluate(source).metrics) values[name] = value;
      return values;
    };
    EXPECT_GT(std::fabs(metrics().at("eval_rewards/chosen")), 1e-3);
    parts.reference_adapter = &first->adapter();
    EXPECT_NEAR(metrics().at("eval_rewards/chosen"), 0, 1e-6);
    EXPECT_NEAR(metrics().at("eval_rewards/margins"), 0, 1e-6);
  }
}

}  // namespace
}  // namespace r1
