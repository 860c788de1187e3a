// What the options of a run promise, each seen in numbers that would be others without it.
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "base/error.h"
#include "tests/train/training_promises.h"
#include "train/objective.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// The norm of Adam's mean after one step, over 1 - beta1: that of the gradients as the optimiser got them.
double norm_seen_by_the_optimiser(const TrainingOptions& options, double* norm) {
  TinyRun run(options);
  TrainingStep step(run.context, {run.model.get() != nullptr ? &run.decoder() : nullptr, &run.store}, options,
                    ActivationStorage::everything);
  const TrainingBatch batch = CountingSource(4, 5).batch(0, 0);
  step.begin(1, 0);
  {
    TrainingPass pass = step.pass(batch);
    pass.backward(std::vector<float>(batch.tokens.size(), -0.01F));
  }
  *norm = step.finish(1, 1e-3);
  double squares = 0;
  for (const StateArray& array : step.optimiser().state()) {
    if (!array.name.starts_with("adam.mean/")) continue;
    std::vector<float> values(array.bytes.size() / sizeof(float));
    std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    for (const float value : values) squares += static_cast<double>(value) * value;
  }
  return std::sqrt(squares) / (1 - options.beta1);
}

TEST_F(TrainingPromisesTest, GradientsAreClippedToTheNormAskedForAndNeverEnlarged) {
  double norm = 0;
  options_.clip = 0;
  const double free = norm_seen_by_the_optimiser(options_, &norm);
  EXPECT_NEAR(free, norm, 1e-5 * norm);
  options_.clip = norm / 4;
  double same = 0;
  EXPECT_NEAR(norm_seen_by_the_optimiser(options_, &same), norm / 4, 1e-5 * norm);
  EXPECT_EQ(same, norm);  // reported as it was
  options_.clip = norm * 4;
  EXPECT_NEAR(norm_seen_by_the_optimiser(options_, &same), norm, 1e-5 * norm);
}

TEST_F(TrainingPromisesTest, GradientsOfAStepBeginAtZero) {
  TinyRun run(options_);
  TrainingStep step(run.context, {&run.decoder(), &run.store}, options_, ActivationStorage::everything);
  const TrainingBatch batch = CountingSource(4, 5).batch(0, 0);
  const auto norm = [&](int passes) {
    step.begin(1, 0);
    for (int i = 0; i < passes; ++i) {
      TrainingPass pass = step.pass(batch);
      pass.backward(std::vector<float>(batch.tokens.size(), -0.01F));
    }
    return gradient_norm(run.context, run.store);
  };
  const double one = norm(1);
  EXPECT_EQ(norm(1), one);
  EXPECT_NEAR(norm(2), 2 * one, 1e-4 * one);
}

TEST_F(TrainingPromisesTest, WhoeverUsesTheWeightsIsToldOfEveryChange) {
  options_.max_steps = 3;
  TinyRun run(options_);
  int told = 0;
  TrainerParts parts;
  parts.weights_changed = [&](Context&) { ++told; };
  const CountingSource source(2, 5);
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, ActivationStorage::everything, {},
          parts)
      .run();
  EXPECT_EQ(told, 4);  // before the first step and after each
}

/// Batches of one sequence that has its own number in it, so that a test sees which were trained.
class NumberedSource final : public BatchSource {
 public:
  explicit NumberedSource(int64_t batches) : batches_(batches) {}
  int64_t batches(int64_t) const override { return batches_; }
  uint64_t fingerprint() const override { return 9; }
  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    seen.push_back(epoch * 100 + index);
    TrainingBatch out;
    out.sequences.push_back({0, 4, index});
    out.tokens = {1, 2, 3, static_cast<int32_t>(index)};
    out.targets = {2, 3, 4, 5};
    return out;
  }
  mutable std::vector<int64_t> seen;

 private:
  int64_t batches_;
};

TEST_F(TrainingPromisesTest, EveryBatchOfEveryEpochIsTrainedOnceAlsoWhereTheyFillNoStep) {
  options_.max_steps = 0;
  options_.accumulation = 8;
  for (const auto& [batches, epochs, steps] : {std::tuple{15, 1.0, 2},
                                               {5, 1.0, 1},
                                               {16, 1.0, 2},
                                               {5, 2.0, 2},
                                               {5, 3.0, 2},
                                               {10, 1.5, 2},
                                               {10, 0.5, 1}}) {
    options_.epochs = epochs;
    const NumberedSource source(batches);
    const std::vector<StepReport> reports = train(source);
    EXPECT_EQ(reports.size(), static_cast<size_t>(steps)) << batches << " " << epochs;
    EXPECT_NEAR(reports.back().epoch, epochs, 1e-9) << batches;
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < static_cast<int64_t>(epochs * batches); ++i)
      expected.push_back(i / batches * 100 + i % batches);
    EXPECT_EQ(source.seen, expected) << batches << " " << epochs;
    fs::remove_all(folder_);
  }
}

TEST_F(TrainingPromisesTest, MaxStepsBeginsEpochsAnewUntilItsSteps) {
  options_.max_steps = 3;
  options_.accumulation = 2;
  const NumberedSource source(4);
  train(source);
  EXPECT_THAT(source.seen, ElementsAre(0, 1, 2, 3, 100, 101));
}

/// A checkpoint as it was written before the rest of an epoch was trained: it says nothing of it.
TEST_F(TrainingPromisesTest, ARunThatDroppedTheRestIsResumedByItsOwnRule) {
  options_.max_steps = 0;
  options_.accumulation = 4;
  options_.epochs = 1;
  options_.save_steps = 1;
  const NumberedSource source(10);
  TinyRun run(options_);
  TrainerHooks stop;
  stop.stop_requested = [] { return true; };
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, ActivationStorage::everything,
          stop)
      .run();
  const fs::path json = folder_ / "checkpoints/step-00000001.json";
  nlohmann::json text = nlohmann::json::parse(std::ifstream(json));
  EXPECT_EQ(text["steps"], 3);
  EXPECT_EQ(text["drops_rest"], false);
  text.erase("steps");
  text.erase("drops_rest");
  std::ofstream(json) << text;
  source.seen.clear();
  Trainer old(run.context, run.decoder(), run.store, options_, source, nullptr, ActivationStorage::everything,
              {});
  ASSERT_TRUE(old.resume());
  EXPECT_EQ(old.steps(), 2);
  old.run();
  EXPECT_THAT(source.seen, ElementsAre(4, 5, 6, 7));
}

TEST_F(TrainingPromisesTest, AScheduleMadeForOtherStepsIsRemarkedOn) {
  options_.schedule = Schedule::linear;
  options_.final_rate = 0;
  options_.max_steps = 4;
  const CountingSource source(2, 5);
  train(source);
  options_.max_steps = 8;
  std::string remarks;
  TinyRun run(options_);
  TrainerHooks hooks;
  hooks.remark = [&](const std::string& text) { remarks += text; };
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr,
                  ActivationStorage::everything, hooks);
  EXPECT_TRUE(trainer.resume());
  EXPECT_THAT(remarks, HasSubstr("scheduled for 4 steps and now is for 8"));
  options_.max_steps = 4;
  remarks.clear();
  Trainer same(run.context, run.decoder(), run.store, options_, source, nullptr,
               ActivationStorage::everything, hooks);
  EXPECT_TRUE(same.resume());
  EXPECT_EQ(remarks, "");
}

TEST_F(TrainingPromisesTest, RatesFollowWarmUpScheduleAndFinalRate) {
  options_.learning_rate = 1;
  options_.warmup_share = 0.25;
  EXPECT_THAT(rates(8), ElementsAre(0.5, 1, 1, 1, 1, 1, 1, 1));
  options_.warmup_steps = 4;  // wins over the share
  EXPECT_THAT(rates(8), ElementsAre(0.25, 0.5, 0.75, 1, 1, 1, 1, 1));
  options_.warmup_steps = 0;
  options_.warmup_share = 0;
  options_.schedule = Schedule::linear;
  for (const double final : {0.0, 0.5, 1.0}) {
    options_.final_rate = final;
    const std::vector<double> found = rates(5);
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[i], 1 - (1 - final) * static_cast<double>(i) / 4, 1e-12);
  }
  options_.schedule = Schedule::cosine;
  options_.final_rate = 0.2;
  EXPECT_NEAR(rates(5)[2], 0.6, 1e-12);
  EXPECT_NEAR(rates(5)[1], 0.2 + 0.8 * 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(rates(5)[4], 0.2, 1e-12);
}

TEST_F(TrainingPromisesTest, AStepUsesTheRateOfItsOwnNumber) {
  options_.schedule = Schedule::linear;
  options_.warmup_share = 0.34;
  options_.max_steps = 6;
  const std::vector<StepReport> reports = train(CountingSource(2, 5));
  for (size_t i = 0; i < reports.size(); ++i)
    EXPECT_EQ(reports[i].learning_rate, scheduled_rate(options_, static_cast<int64_t>(i) + 1, 6));
}

TEST_F(TrainingPromisesTest, AdamUsesTheNumbersOfItsOptions) {
  // One weight, two steps, by the formulas of Kingma and Ba (2015) and Loshchilov and Hutter (2019).
  const double gradients[] = {0.5, -0.25};
  for (const auto& [beta1, beta2, epsilon, decay] : {std::tuple{0.9, 0.95, 1e-8, 0.0},
                                                     {0.5, 0.95, 1e-8, 0.0},
                                                     {0.9, 0.5, 1e-8, 0.0},
                                                     {0.9, 0.95, 0.1, 0.0},
                                                     {0.9, 0.95, 1e-8, 0.5}}) {
    OptimiserOptions options;
    options.beta1 = beta1, options.beta2 = beta2, options.epsilon = epsilon, options.weight_decay = decay;
    ParameterStore store;
    Parameter& weight = store.add("w", {1, 1});
    Parameter& bias = store.add("b", {1});
    weight.values[0] = bias.values[0] = 1;
    const auto optimiser = make_optimiser(options, store);
    ThreadPool pool(1);
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    double mean = 0, square = 0, expected = 1, without_decay = 1;
    for (int64_t step = 1; step <= 2; ++step) {
      const double gradient = gradients[step - 1];
      store.all()[0].gradient[0] = store.all()[1].gradient[0] = static_cast<float>(gradient);
      optimiser->step(context, step, 0.1, 1);
      mean = beta1 * mean + (1 - beta1) * gradient;
      square = beta2 * square + (1 - beta2) * gradient * gradient;
      const auto n = static_cast<double>(step);
      const double change =
          0.1 * mean / (1 - std::pow(beta1, n)) / (std::sqrt(square / (1 - std::pow(beta2, n))) + epsilon);
      expected = expected * (1 - 0.1 * decay) - change;
      without_decay -= change;
    }
    EXPECT_NEAR(store.all()[0].values[0], expected, 2e-6) << beta1 << " " << beta2 << " " << epsilon;
    EXPECT_NEAR(store.all()[1].values[0], without_decay, 2e-6);  // vectors do not decay
  }
}

TEST_F(TrainingPromisesTest, OnlySoManyCheckpointsAreKept) {
  options_.max_steps = 7;
  options_.save_steps = 1;
  options_.keep_checkpoints = 2;
  train(CountingSource(2, 5));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "checkpoints"))
    names.insert(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("step-00000006.json", "step-00000006.safetensors", "step-00000007.json",
                                 "step-00000007.safetensors"));
}

/// Another data set in the same shape.
class OtherSource final : public BatchSource {
 public:
  int64_t batches(int64_t epoch) const override { return source_.batches(epoch); }
  uint64_t fingerprint() const override { return source_.fingerprint() + 1; }
  TrainingBatch batch(int64_t epoch, int64_t index) const override { return source_.batch(epoch, index); }

 private:
  CountingSource source_{2, 5};
};

TEST_F(TrainingPromisesTest, ARunIsNotResumedOverOtherDataOrOtherWeights) {
  const CountingSource source(2, 5);
  options_.max_steps = 2;
  train(source);
  TinyRun run(options_);
  const OtherSource other;
  Trainer over_other_data(run.context, run.decoder(), run.store, options_, other, nullptr,
                          ActivationStorage::everything, {});
  EXPECT_THROW(over_other_data.resume(), Error);
  Trainer same(run.context, run.decoder(), run.store, options_, source, nullptr,
               ActivationStorage::everything, {});
  EXPECT_TRUE(same.resume());
  run.store.add("one.more", {1});
  Trainer over_other_weights(run.context, run.decoder(), run.store, options_, source, nullptr,
                             ActivationStorage::everything, {});
  EXPECT_THROW(over_other_weights.resume(), Error);
}

// --- reports ---

TEST_F(TrainingPromisesTest, TokensPerSecondAreThoseOfTrainingSinceTheLastLine) {
  options_.max_steps = 6;
  options_.log_steps = 2;
  options_.eval_steps = 1;
  double clock = 100;
  class TimedSource final : public BatchSource {
   public:
    explicit TimedSource(double& clock) : clock_(clock) {}
    int64_t batches(int64_t) const override { return 6; }
    uint64_t fingerprint() const override { return 40; }
    TrainingBatch batch(int64_t, int64_t index) const override {
      clock_ += index < 2 ? 10 : 1;  // seconds of a step
      return CountingSource(1, 6).batch(0, index);
    }

   private:
    double& clock_;
  };
  TinyRun run(options_);
  TrainerHooks hooks;
  hooks.seconds = [&] { return clock; };
  hooks.on_evaluation = [&](const EvaluationReport&) { clock += 1000; };  // is no training
  std::vector<StepReport> lines;
  hooks.on_log = [&](const StepReport& report) { lines.push_back(report); };
  const TimedSource source(clock);
  const CountingSource held_back(1, 1);
  Trainer(run.context, run.decoder(), run.store, options_, source, &held_back, ActivationStorage::everything,
          hooks)
      .run();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NEAR(lines[0].tokens_per_second, static_cast<double>(lines[0].tokens) / 20, 1e-6);
  EXPECT_NEAR(lines[1].tokens_per_second, static_cast<double>(lines[1].tokens - lines[0].tokens) / 2, 1e-6);
  EXPECT_NEAR(lines[2].tokens_per_second, static_cast<double>(lines[2].tokens - lines[1].tokens) / 2, 1e-6);
  EXPECT_NEAR(lines[2].seconds, 24 + 5 * 1000, 1e-6);
}

TEST_F(TrainingPromisesTest, ALineOfTheLogIsTheMeanOfItsSteps) {
  options_.max_steps = 5;
  options_.log_steps = 3;
  TinyRun run(options_);
  std::vector<StepReport> steps, lines;
  TrainerHooks hooks;
  hooks.on_step = [&](const StepReport& report) { steps.push_back(report); };
  hooks.on_log = [&](const StepReport& report) { lines.push_back(report); };
  const CountingSource source(2, 5);
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, ActivationStorage::everything,
          hooks)
      .run();
  ASSERT_EQ(lines.size(), 2U);  // behind step 3, and the rest at the end
  EXPECT_NEAR(lines[0].loss, (steps[0].loss + steps[1].loss + steps[2].loss) / 3, 1e-12);
  EXPECT_NEAR(lines[1].gradient_norm, (steps[3].gradient_norm + steps[4].gradient_norm) / 2, 1e-12);
}

}  // namespace
}  // namespace r1
