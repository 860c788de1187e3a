// The loop of reinforcement learning on a tiny model: sampler and trainer agree bit for bit, a resumed run is the run, and
// what is rewarded is learnt.
#include "rl/policy_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "formats/vocabulary.h"
#include "tests/rl/tiny_policy.h"

namespace r1::rl {
namespace {

namespace fs = std::filesystem;

/// The number of letters e in an answer's line, by a program: rewards that differ within a group from the beginning.
constexpr const char* kLetterReward =
    R"(command:awk '{ print "{\"id\": " NR - 1 ", \"reward\": " gsub(/e/, "e") "}" }')";

class PolicyTrainerTest : public TinyPolicy {
 protected:
  PolicyTrainerTest() {
    std::string lines;
    for (int i = 0; i < 5; ++i) {
      lines += nlohmann::json{{"question", std::to_string(i) + "+1?"},
                              {"answer", "\\boxed{" + std::to_string(i + 1) + "}"}}
                   .dump() +
               "\n";
    }
    write("questions.jsonl", lines);
    TrainedModel(options_, {}, TrainingStage::sft, pool_)
        .write(folder_ / "base", "", SaveType::automatic, false);
    options_.tokenizer.clear();
    options_.model = (folder_ / "base").string();
    options_.data = {(folder_ / "questions.jsonl").string()};
    options_.rewards = {kLetterReward};
    options_.questions = 3;
    options_.group = 4;
    options_.minibatches = 2;
    options_.answer_tokens = 8;
    options_.batch_tokens = 100;
    options_.max_steps = 4;
    options_.save_steps = 0;
    options_.schedule = Schedule::constant;
    options_.learning_rate = 3e-3;
    options_.weight_decay = 0;
    options_.lora.rank = 4;
    options_.output = (folder_ / "out").string();
  }

  struct Outcome {
    std::vector<float> weights;
    std::vector<std::vector<int32_t>> rollouts;
    std::vector<std::map<std::string, double>> metrics;  // of each step
    TrainingEnd end = TrainingEnd::finished;
  };

  /// Trains from the base, or goes on from the checkpoint. `stop_after`: steps after which to stop; -1: never.
  Outcome train(bool resume = false, int64_t stop_after = -1, int threads = 2) {
    ThreadPool pool(threads);
    Context context(pool, kernels::select_kernels(), Arithmetic::mixed);
    TrainedModel model(options_, options_.model, TrainingStage::grpo, pool);
    const TextModel text(model.model(), load_vocabulary(*model.base()));
    const Questions questions = load_questions(options_.data, {}, model.renderer());
    Outcome outcome;
    PolicyHooks hooks;
    hooks.on_step = [&](const StepReport& report, const ScoredRollouts& scored) {
      outcome.metrics.emplace_back(report.metrics.begin(), report.metrics.end());
      for (const Rollout& rollout : scored.rollouts) outcome.rollouts.push_back(rollout.tokens);
    };
    hooks.stop_requested = [&] { return stop_after >= 0 && std::ssize(outcome.metrics) >= stop_after; };
    PolicyTrainer trainer(context, model, text, options_, questions, nullptr, ActivationStorage::everything,
                          hooks);
    if (resume) {
      EXPECT_TRUE(trainer.resume());
    }
    outcome.end = trainer.run();
    for (const Parameter& parameter : model.parameters().all()) {
      outcome.weights.insert(outcome.weights.end(), parameter.values, parameter.values + parameter.count);
    }
    return outcome;
  }

  ThreadPool pool_{1};
};

TEST_F(PolicyTrainerTest, SamplerAndTrainerGiveTheSameBits) {
  const struct {
    double temperature, top_p;
    Tuning tuning;
  } kCases[] = {
      {1, 1, Tuning::full}, {0.7, 1, Tuning::full}, {0.8, 0.6, Tuning::full}, {1, 0.9, Tuning::lora}};
  for (const auto& one : kCases) {
    SCOPED_TRACE(testing::Message() << one.temperature << " " << one.top_p);
    fs::remove_all(options_.output);
    options_.temperature = one.temperature, options_.top_p = one.top_p, options_.tuning = one.tuning;
    for (const auto& metrics : train().metrics) {
      EXPECT_EQ(metrics.at("mismatch"), 0);
      EXPECT_GT(metrics.at("entropy"), 0);
    }
  }
}

TEST_F(PolicyTrainerTest, AResumedRunGivesTheBitsOfOneThatWasNeverStopped) {
  for (const double kl : {0.0, 0.05}) {
    SCOPED_TRACE(kl);
    options_.kl = kl;
    options_.reference_steps = kl > 0 ? 1 : 0;
    fs::remove_all(options_.output);
    const Outcome whole = train();
    ASSERT_EQ(whole.metrics.size(), 4U);
    fs::remove_all(options_.output);
    const Outcome first = train(false, 2);
    EXPECT_EQ(first.end, TrainingEnd::stopped);
    const Outcome second = train(true, -1, 3);
    EXPECT_EQ(second.metrics.size(), 2U);
    std::vector<std::vector<int32_t>> rollouts = first.rollouts;
    rollouts.insert(rollouts.end(), second.rollouts.begin(), second.rollouts.end());
    EXPECT_EQ(rollouts, whole.rollouts);
    EXPECT_EQ(second.weights, whole.weights);
  }
}

TEST_F(PolicyTrainerTest, OtherOptionsDoNotResume) {
  train(false, 1);
  options_.group = 6;
  EXPECT_THROW(train(true), Error);
}

TEST_F(PolicyTrainerTest, WhatIsRewardedIsLearnt) {
  options_.max_steps = 20;
  options_.questions = 5;
  options_.group = 8;
  options_.learning_rate = 1e-2;
  const Outcome outcome = train();
  const auto mean = [&](size_t first, size_t count) {
    double sum = 0;
    for (size_t i = first; i < first + count; ++i) sum += outcome.metrics[i].at("reward");
    return sum / static_cast<double>(count);
  };
  EXPECT_GT(mean(17, 3), mean(0, 3) + 6);
}

TEST_F(PolicyTrainerTest, EqualRewardsChangeNothing) {
  options_.rewards = {"format=1"};  // a random model never fulfils it
  options_.kl = 0;
  const Outcome outcome = train();
  options_.max_steps = 1;
  options_.learning_rate = 1e-9;
  EXPECT_EQ(outcome.metrics[0].at("frac_reward_zero_std"), 1);
  TrainedModel base(options_, options_.model, TrainingStage::grpo, pool_);
  std::vector<float> weights;
  for (const Parameter& parameter : base.parameters().all()) {
    weights.insert(weights.end(), parameter.values, parameter.values + parameter.count);
  }
  EXPECT_EQ(outcome.weights, weights);
}

TEST_F(PolicyTrainerTest, DynamicSamplingAsksForMoreQuestionsThanItKeeps) {
  options_.dynamic_sampling = true;
  options_.rewards = {"format=1"};
  const Outcome outcome = train();
  ASSERT_EQ(outcome.metrics.size(), 4U);
  EXPECT_TRUE(outcome.rollouts.empty()) << "no group had a spread";
}

TEST_F(PolicyTrainerTest, AnAnswerWithoutARewardTakesNoPart) {
  options_.rewards = {"command:exit 1"};
  const Outcome outcome = train();
  EXPECT_EQ(outcome.metrics[0].at("rewards/missing"), 12);
}

TEST_F(PolicyTrainerTest, PromptsAndAnswersMustFitTheContext) {
  options_.answer_tokens = 90;
  EXPECT_THROW(train(), Error);
}

}  // namespace
}  // namespace r1::rl
