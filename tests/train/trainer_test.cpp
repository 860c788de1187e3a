// The training loop on a model of some thousand weights and generated sequences.
#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "tests/temporary_folder.h"
#include "tests/train/tiny_training.h"
#include "train/memory_plan.h"
#include "train/new_model.h"
#include "train/optimiser.h"
#include "train/options_check.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Always the same token, which is learnt to almost no loss; from step `from` on (each `every`-th one) some
/// of a batch's 40 targets are others.
class OddSource final : public BatchSource {
 public:
  OddSource(int64_t from, int64_t every, int64_t odd) : from_(from), every_(every), odd_(odd) {}
  int64_t batches(int64_t) const override { return 1000; }
  uint64_t fingerprint() const override { return 78; }
  TrainingBatch batch(int64_t, int64_t index) const override {
    TrainingBatch out;
    out.sequences.push_back({0, 40, 0});
    const int64_t odd = index + 1 >= from_ && (index + 1) % every_ == 0 ? odd_ : 0;
    for (int64_t i = 0; i < 40; ++i) {
      out.tokens.push_back(3);
      out.targets.push_back(i < odd ? static_cast<int32_t>(4 + (index + i) % 30) : 3);
    }
    return out;
  }

 private:
  int64_t from_, every_, odd_;
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : options_(tiny_options(folder_.string())) {
    options_.max_steps = 12;
    options_.learning_rate = 1e-2;
    options_.save_steps = 0;
  }

  using Run = TinyRun;

  /// Trains; the loss of every step goes to losses_.
  std::vector<float> train(const TrainingOptions& options, const BatchSource& source, int threads = 2,
                           ActivationStorage storage = ActivationStorage::everything,
                           int64_t stop_after = -1) {
    Run run(options, threads);
    TrainerHooks hooks;
    int64_t done = 0;
    losses_.clear();
    hooks.on_step = [&](const StepReport& report) {
      losses_.push_back(report.loss);
      ++done;
    };
    hooks.stop_requested = [&] { return done == stop_after; };
    hooks.remark = [&](const std::string& text) { remarks_ += text; };
    Trainer trainer(run.context, run.decoder(), run.store, options, source, nullptr, storage, hooks);
    if (options.resume) trainer.resume();
    trainer.run();
    return run.weights();
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
  TrainingOptions options_;
  std::vector<double> losses_;
  std::string remarks_;
};

TEST_F(TrainerTest, LearnsToCount) {
  options_.max_steps = 80;
  train(options_, CountingSource(8, 10));
  EXPECT_NEAR(losses_.front(), std::log(kVocabulary), 0.3);
  EXPECT_LT(losses_.back(), 0.9);
}

TEST_F(TrainerTest, ResumingIsBitIdentical) {
  const CountingSource source(4, 5);
  const std::vector<float> straight = train(options_, source);
  fs::remove_all(folder_);
  train(options_, source, 1, ActivationStorage::layer_inputs, 7);
  TrainingOptions again = options_;
  again.resume = true;
  again.initial_deviation = 0.5;  // nothing of the new weights may be left
  const std::vector<float> resumed = train(again, source, 2);
  EXPECT_EQ(losses_.size(), 5U);
  EXPECT_EQ(std::memcmp(straight.data(), resumed.data(), straight.size() * sizeof(float)), 0);
}

TEST_F(TrainerTest, AccumulationIsALargerBatch) {
  options_.max_steps = 5;
  options_.weight_decay = 0;
  options_.optimiser = OptimiserKind::adamw;
  const std::vector<float> large = train(options_, CountingSource(8, 1000));
  fs::remove_all(folder_);
  options_.accumulation = 2;
  const std::vector<double> large_losses = losses_;
  train(options_, CountingSource(4, 2000));
  for (size_t i = 0; i < losses_.size(); ++i) EXPECT_NEAR(losses_[i], large_losses[i], 1e-4) << i;
}

TEST_F(TrainerTest, ADamagedCheckpointIsPassedOver) {
  options_.save_steps = 4;
  const CountingSource source(4, 5);
  const std::vector<float> straight = train(options_, source);
  const fs::path newest = folder_ / "checkpoints/step-00000012.safetensors";
  ASSERT_TRUE(fs::exists(newest));
  {
    std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3000);
    file.put('x');
    file.put('y');
  }
  fs::remove(folder_ / "checkpoints/step-00000008.json");  // as if killed between its two files
  options_.resume = true;
  const std::vector<float> resumed = train(options_, source);
  EXPECT_EQ(losses_.size(), 8U);  // from step 4
  EXPECT_THAT(remarks_, HasSubstr("step-00000012.json: damaged"));
  EXPECT_EQ(std::memcmp(straight.data(), resumed.data(), straight.size() * sizeof(float)), 0);
}

TEST_F(TrainerTest, OtherOptionsDoNotResume) {
  const CountingSource source(4, 5);
  options_.max_steps = 2;
  train(options_, source);
  options_.resume = true;
  options_.learning_rate = 2e-2;
  try {
    train(options_, source);
    FAIL() << "resumed";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("learning_rate: expected 0.01 as the run began, found 0.02"));
  }
}

TEST_F(TrainerTest, ARunDoesNotGoOnOverAnotherBase) {
  const CountingSource source(4, 5);
  options_.max_steps = 2;
  Run run(options_);
  TrainerParts parts;
  auto trainer = [&](const std::string& base) {
    parts.base = base;
    return Trainer(run.context, run.decoder(), run.store, options_, source, nullptr,
                   ActivationStorage::everything, {}, parts);
  };
  trainer("weights 1").run();
  EXPECT_TRUE(trainer("weights 1").resume());
  try {
    trainer("weights 2").resume();
    FAIL() << "resumed";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("base: expected weights 1 as the run began, found weights 2"));
  }
}

TEST_F(TrainerTest, OptionsThatChangeWeightsAreNamedWhenARunGoesOn) {
  const CountingSource source(4, 5);
  options_.max_steps = 2;
  train(options_, source);
  options_.resume = true;
  options_.max_steps = 3;  // more steps are no other run
  train(options_, source);
  const TrainingOptions first = options_;
  for (const auto& [name, change] :
       std::vector<std::pair<std::string, std::function<void(TrainingOptions&)>>>{
           {"epsilon", [](TrainingOptions& changed) { changed.epsilon = 1e-6; }},
           {"warmup_share", [](TrainingOptions& changed) { changed.warmup_share = 0.5; }},
           {"lora_alpha", [](TrainingOptions& changed) { changed.lora.alpha = 8; }},
           {"weight_decay", [](TrainingOptions& changed) { changed.weight_decay = 0.3; }},
           {"batch_tokens", [](TrainingOptions& changed) { changed.batch_tokens = 17; }},
           {"3 steps are done, more than the 2", [](TrainingOptions& changed) { changed.max_steps = 2; }}}) {
    TrainingOptions options = first;
    change(options);
    try {
      train(options, source);
      ADD_FAILURE() << name << ": resumed";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
  }
}

TEST_F(TrainerTest, AValueThatIsNoNumberIsNamed) {
  Run run(options_);
  Parameter& broken = run.store.all()[3];
  broken.values[0] = std::nanf("");
  const CountingSource source(4, 5);
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr,
                  ActivationStorage::everything, {});
  try {
    trainer.run();
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("step 1"));
    EXPECT_THAT(error.what(), HasSubstr(broken.name));
  }
}

TEST_F(TrainerTest, EvaluatesAndStopsEarly) {
  options_.max_steps = 50;
  options_.eval_steps = 2;
  options_.patience = 2;
  options_.learning_rate = 0;  // nothing improves after the first evaluation
  Run run(options_);
  int evaluations = 0;
  int saved = 0;
  TrainerHooks hooks;
  hooks.on_evaluation = [&](const EvaluationReport& report) {
    ++evaluations;
    EXPECT_NEAR(report.loss, std::log(kVocabulary), 0.3);
  };
  hooks.save_best = [&] { ++saved; };
  const CountingSource source(4, 5), held_back(3, 2);
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, &held_back,
                  ActivationStorage::everything, hooks);
  EXPECT_EQ(trainer.run(), TrainingEnd::stopped_early);
  EXPECT_EQ(evaluations, 3);
  EXPECT_EQ(saved, 1);
}

TEST_F(TrainerTest, EveryPreferenceStageLearns) {
  options_.max_steps = 30;
  options_.learning_rate = 5e-3;
  for (const TrainingStage stage :
       {TrainingStage::dpo, TrainingStage::kto, TrainingStage::orpo, TrainingStage::reward}) {
    fs::remove_all(folder_);
    options_.beta = stage == TrainingStage::kto ? 1 : 0.1;
    options_.max_steps = stage == TrainingStage::reward ? 100 : 30;  // its head begins at zero
    Run run(options_);
    const Run reference(options_);
    TrainerParts parts{stage, nullptr, &reference.decoder(), nullptr};
    if (stage == TrainingStage::reward) parts.score = &run.store.add("score.weight", {1, options_.hidden});
    TrainerHooks hooks;
    std::vector<StepReport> reports;
    hooks.on_step = [&](const StepReport& report) { reports.push_back(report); };
    const PairSource source;
    Trainer trainer(run.context, run.decoder(), run.store, options_, source, &source,
                    ActivationStorage::layer_inputs, hooks, parts);
    trainer.run();
    const auto stage_number = static_cast<int>(stage);
    if (stage == TrainingStage::dpo || stage == TrainingStage::reward) {
      EXPECT_NEAR(reports.front().loss, std::log(2.0), 1e-5) << stage_number;
    }
    EXPECT_LT(reports.back().loss, 0.7 * reports.front().loss) << stage_number;
    EXPECT_FALSE(reports.back().metrics.empty()) << stage_number;
    const EvaluationReport evaluation = trainer.evaluate(source);
    EXPECT_NEAR(evaluation.loss, reports.back().loss, 0.3) << stage_number;
    const auto margin =
        std::find_if(evaluation.metrics.begin(), evaluation.metrics.end(),
                     [](const auto& metric) { return metric.first == "eval_rewards/margins"; });
    ASSERT_NE(margin, evaluation.metrics.end()) << stage_number;
    EXPECT_GT(margin->second, 0) << stage_number;
  }
}

TEST_F(TrainerTest, EveryStageAndOptimiserResumesBitIdentically) {
  struct Case {
    TrainingStage stage;
    OptimiserKind optimiser;
    int64_t accumulation;
  };
  options_.max_steps = 6;
  const PairSource pairs;
  const CountingSource sequences(4, 5);
  for (const Case& test_case :
       {Case{TrainingStage::sft, OptimiserKind::muon, 3},
        Case{TrainingStage::sft, OptimiserKind::adamw_8bit, 2},
        Case{TrainingStage::dpo, OptimiserKind::adamw_8bit, 2},
        Case{TrainingStage::kto, OptimiserKind::muon, 1}, Case{TrainingStage::orpo, OptimiserKind::adamw, 2},
        Case{TrainingStage::reward, OptimiserKind::muon, 2}}) {
    options_.optimiser = test_case.optimiser;
    options_.accumulation = test_case.accumulation;
    const Run reference(options_);
    auto weights = [&](int64_t stop_after, bool resume) {
      Run run(options_);
      TrainerParts parts{test_case.stage, nullptr, &reference.decoder(), nullptr};
      if (test_case.stage == TrainingStage::reward)
        parts.score = &run.store.add("score.weight", {1, options_.hidden});
      TrainerHooks hooks;
      int64_t done = 0;
      hooks.on_step = [&](const StepReport&) { ++done; };
      hooks.stop_requested = [&] { return done == stop_after; };
      const BatchSource& source =
          test_case.stage == TrainingStage::sft ? static_cast<const BatchSource&>(sequences) : pairs;
      Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr,
                      ActivationStorage::layer_inputs, hooks, parts);
      EXPECT_EQ(resume && trainer.resume(), resume);
      trainer.run();
      return run.weights();
    };
    fs::remove_all(folder_);
    const std::vector<float> straight = weights(-1, false);
    fs::remove_all(folder_);
    const std::vector<float> half = weights(3, false);
    EXPECT_NE(half, straight);
    const std::vector<float> resumed = weights(-1, true);
    EXPECT_EQ(std::memcmp(straight.data(), resumed.data(), straight.size() * sizeof(float)), 0)
        << name_of(test_case.stage) << ", " << text_of(test_case.optimiser);
  }
}

TEST_F(TrainerTest, ScheduleRisesAndFalls) {
  options_.learning_rate = 2;
  options_.final_rate = 0.1;
  options_.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(scheduled_rate(options_, 1, 20), 0.5);
  EXPECT_DOUBLE_EQ(scheduled_rate(options_, 4, 20), 2);
  EXPECT_DOUBLE_EQ(scheduled_rate(options_, 5, 20), 2);
  EXPECT_NEAR(scheduled_rate(options_, 20, 20), 0.2, 1e-12);
  options_.schedule = Schedule::linear;
  EXPECT_NEAR(scheduled_rate(options_, 12, 19), 1.1, 1e-12);
  options_.schedule = Schedule::constant;
  EXPECT_EQ(scheduled_rate(options_, 20, 20), 2);
}

TEST_F(TrainerTest, ALossThatJumpsByNatsStopsTheRun) {
  options_.max_steps = 100;
  try {
    train(options_, OddSource(90, 1, 40));
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("step 90: the loss jumped to"));
    EXPECT_THAT(error.what(), HasSubstr("most of it in"));
  }
  EXPECT_LT(losses_.back(), 0.05);
  options_.spike = 0;
  train(options_, OddSource(90, 1, 40));
  EXPECT_EQ(losses_.size(), 100U);
}

// The first model's run ended at a batch of 0.25 after a mean of 0.04, which was one with a hard sample.
TEST_F(TrainerTest, AJumpOfALowLossIsNoSpike) {
  options_.max_steps = 100;
  train(options_, OddSource(90, 10, 2));
  ASSERT_EQ(losses_.size(), 100U);
  EXPECT_GT(losses_[89], 8 * losses_[88]);
  EXPECT_GT(losses_[89], 0.2);
}

TEST_F(TrainerTest, JumpsOfALossThatAlwaysJumpsAreNoSpikes) {
  options_.max_steps = 100;
  train(options_, OddSource(1, 5, 40));
  ASSERT_EQ(losses_.size(), 100U);
  EXPECT_GT(losses_[99], 1.5 + losses_[98]);
}

TEST_F(TrainerTest, WhatCannotFitIsRefusedWithAWayOut) {
  Run run(options_);
  try {
    plan_memory(options_, run.decoder(), run.store, {.available = size_t{1} << 20});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    EXPECT_THAT(error.what(), HasSubstr("batch_tokens"));
  }
}

TEST_F(TrainerTest, AWrittenModelComputesTheSame) {
  options_.max_steps = 2;
  Run run(options_);
  fs::create_directories(folder_ / "tokenizer");
  const nlohmann::json config = tiny_config(options_);
  write_hub_directory(folder_ / "model", {config, folder_ / "tokenizer", {}, ""}, run.store.views(),
                      SaveType::f32, nullptr);
  const auto file = ModelFile::open(folder_ / "model");
  for (const Parameter& parameter : run.store.all()) {
    const TensorView* tensor = file->find(parameter.name);
    ASSERT_NE(tensor, nullptr) << parameter.name;
    EXPECT_EQ(std::memcmp(tensor->data, parameter.values, tensor->bytes), 0) << parameter.name;
  }
  EXPECT_EQ(load_model(file)->info().parameters, run.store.elements());
}

}  // namespace
}  // namespace r1
