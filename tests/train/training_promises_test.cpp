// What the options of a run promise, each seen in numbers that would be others without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "base/error.h"
#include "tests/temporary_folder.h"
#include "tests/train/tiny_training.h"
#include "train/data_steps.h"
#include "train/objective.h"
#include "train/trained_adapter.h"
#include "train/trainer.h"
#include "train/training_step.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class TrainingPromisesTest : public testing::Test {
 protected:
  TrainingPromisesTest() : options_(tiny_options(folder_.string())) {
    options_.max_steps = 6;
    options_.learning_rate = 1e-2;
    options_.schedule = Schedule::constant;
    options_.warmup_share = 0;
    options_.save_steps = 0;
  }

  /// The reports of every step of a whole run.
  std::vector<StepReport> train(const BatchSource& source) {
    TinyRun run(options_);
    std::vector<StepReport> reports;
    TrainerHooks hooks;
    hooks.on_step = [&](const StepReport& report) { reports.push_back(report); };
    Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, hooks).run();
    return reports;
  }
  std::vector<double> rates(int64_t steps) const {
    std::vector<double> all;
    for (int64_t step = 1; step <= steps; ++step) all.push_back(scheduled_rate(options_, step, steps));
    return all;
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
  TrainingOptions options_;
};

/// The norm of Adam's mean after one step, over 1 - beta1: that of the gradients as the optimiser got them.
double norm_seen_by_the_optimiser(const TrainingOptions& options, double* norm) {
  TinyRun run(options);
  TrainingStep step(run.context, {run.model.get() != nullptr ? &run.decoder() : nullptr, &run.store}, options,
                    Keep::everything);
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
  TrainingStep step(run.context, {&run.decoder(), &run.store}, options_, Keep::everything);
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
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, {}, parts)
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
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, stop).run();
  const fs::path json = folder_ / "checkpoints/step-00000001.json";
  nlohmann::json text = nlohmann::json::parse(std::ifstream(json));
  EXPECT_EQ(text["steps"], 3);
  EXPECT_EQ(text["drops_rest"], false);
  text.erase("steps");
  text.erase("drops_rest");
  std::ofstream(json) << text;
  source.seen.clear();
  Trainer old(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, {});
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
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, hooks);
  EXPECT_TRUE(trainer.resume());
  EXPECT_THAT(remarks, HasSubstr("scheduled for 4 steps and now is for 8"));
  options_.max_steps = 4;
  remarks.clear();
  Trainer same(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, hooks);
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
  Trainer over_other_data(run.context, run.decoder(), run.store, options_, other, nullptr, Keep::everything,
                          {});
  EXPECT_THROW(over_other_data.resume(), Error);
  Trainer same(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, {});
  EXPECT_TRUE(same.resume());
  run.store.add("one.more", {1});
  Trainer over_other_weights(run.context, run.decoder(), run.store, options_, source, nullptr,
                             Keep::everything, {});
  EXPECT_THROW(over_other_weights.resume(), Error);
}

// --- evaluations ---

/// A held-back set whose loss the test knows: the trained model has learnt to count up, this counts in other strides.
class Evaluations {
 public:
  Evaluations(const TrainingOptions& options, const BatchSource& source, const BatchSource& held_back)
      : run(options) {
    TrainerHooks hooks;
    hooks.on_evaluation = [this](const EvaluationReport& report) { reports.push_back(report); };
    hooks.save_best = [this] { saved.push_back(reports.size()); };
    Trainer trainer(run.context, run.decoder(), run.store, options, source, &held_back, Keep::everything,
                    hooks);
    end = trainer.run();
    state = trainer.state();
  }
  TinyRun run;
  std::vector<EvaluationReport> reports;
  std::vector<size_t> saved;  // evaluations before each save
  TrainingEnd end = TrainingEnd::finished;
  RunState state;
};

/// Counts up with the stride `good` until step `turn`, then with another: its loss falls and rises again.
class TurningSource final : public BatchSource {
 public:
  explicit TurningSource(int64_t turn, int64_t back = 1 << 20) : turn_(turn), back_(back) {}
  int64_t batches(int64_t) const override { return 1 << 20; }
  uint64_t fingerprint() const override { return 31; }
  TrainingBatch batch(int64_t, int64_t index) const override {
    TrainingBatch out;
    out.sequences.push_back({0, 30, 0});
    const int32_t stride = index < turn_ || index >= back_ ? 1 : 7;
    for (int32_t i = 0; i < 30; ++i) {
      out.tokens.push_back((stride * i) % kVocabulary);
      out.targets.push_back((stride * (i + 1)) % kVocabulary);
    }
    return out;
  }

 private:
  int64_t turn_, back_;
};
class FirstBatch final : public BatchSource {
 public:
  int64_t batches(int64_t) const override { return 1; }
  uint64_t fingerprint() const override { return 32; }
  TrainingBatch batch(int64_t, int64_t) const override { return TurningSource(10).batch(0, 0); }
};

TEST_F(TrainingPromisesTest, TheBestEvaluationIsTheOneWithTheSmallestLoss) {
  options_.max_steps = 30;
  options_.eval_steps = 5;
  options_.spike = 0;
  const Evaluations found(options_, TurningSource(15), FirstBatch());
  ASSERT_EQ(found.reports.size(), 6U);
  size_t best = 0;
  for (size_t i = 0; i < 6; ++i) {
    if (found.reports[i].loss < found.reports[best].loss) best = i;
  }
  EXPECT_GT(best, 0U);
  EXPECT_LT(best, 5U);  // the last one is not the best
  EXPECT_EQ(found.state.best_step, found.reports[best].step);
  EXPECT_EQ(found.state.best_loss, found.reports[best].loss);
  EXPECT_EQ(found.saved.back(), best);
  for (size_t i = 0; i < 6; ++i) {
    const bool better =
        i == 0 || found.reports[i].loss < std::min_element(
                                              found.reports.begin(),
                                              found.reports.begin() + static_cast<std::ptrdiff_t>(i),
                                              [](const auto& a, const auto& b) { return a.loss < b.loss; })
                                              ->loss;
    EXPECT_EQ(found.reports[i].best, better) << i;
  }
}

TEST_F(TrainingPromisesTest, PatienceCountsEvaluationsSinceTheBestOne) {
  options_.max_steps = 100;
  options_.eval_steps = 5;
  options_.spike = 0;
  options_.patience = 3;
  // Better until step 15, worse for two evaluations, better again from step 25 on, then worse for good.
  class Twice final : public BatchSource {
   public:
    int64_t batches(int64_t) const override { return 1 << 20; }
    uint64_t fingerprint() const override { return 33; }
    TrainingBatch batch(int64_t, int64_t index) const override {
      const bool good = index < 10 || (index >= 15 && index < 35);
      return TurningSource(good ? 1 << 20 : 0).batch(0, index);
    }
  };
  const Evaluations found(options_, Twice(), FirstBatch());
  EXPECT_EQ(found.end, TrainingEnd::stopped_early);
  size_t since = 0, worse = 0;
  double best = INFINITY;
  for (const EvaluationReport& report : found.reports) {
    since = report.loss < best ? 0 : since + 1;
    worse += report.loss < best ? 0 : 1;
    best = std::min(best, report.loss);
  }
  EXPECT_EQ(since, 3U);  // it ended at the third one without a better one,
  EXPECT_GT(worse, 3U);  // and not at the third worse one altogether
}

TEST_F(TrainingPromisesTest, AnEvaluationIsTheMeanLossOfItsTargets) {
  options_.max_steps = 1;
  TinyRun run(options_);
  const CountingSource source(3, 4);
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, {});
  double sum = 0;
  int64_t targets = 0;
  TrainingCache cache(run.decoder());
  const WeightGradients none;
  for (int64_t i = 0; i < 4; ++i) {
    const TrainingBatch batch = source.batch(0, i);
    for (const float value :
         TrainingPass(run.context, run.decoder(), none, cache, batch, Keep::layer_inputs).log_probs())
      sum -= value;
    targets += batch.target_count();
  }
  const EvaluationReport report = trainer.evaluate(source);
  EXPECT_EQ(report.targets, targets);
  EXPECT_NEAR(report.loss, sum / static_cast<double>(targets), 1e-9);
}

// --- adapters ---

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
                    Keep::everything, {}, parts);
    trainer.run();
    fs::remove_all(folder_);
    *evaluation = trainer.evaluate(source).loss;
    EXPECT_EQ(trainer.evaluate(source).loss, *evaluation);
    // Without dropout at all.
    tiny.adapter->adapter().set_dropout({0, 0});
    TrainingOptions off = options_;
    off.lora.dropout = 0;
    Trainer plain(tiny.base.context, tiny.decoder(), tiny.adapter->parameters(), off, source, nullptr,
                  Keep::everything, {}, parts);
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
                    options_, Keep::everything);
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
            Keep::everything, {}, parts)
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
          Keep::layer_inputs, hooks, parts)
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
                      nullptr, Keep::layer_inputs, {}, parts);
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
  Trainer(run.context, run.decoder(), run.store, options_, source, &held_back, Keep::everything, hooks).run();
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
  Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, Keep::everything, hooks).run();
  ASSERT_EQ(lines.size(), 2U);  // behind step 3, and the rest at the end
  EXPECT_NEAR(lines[0].loss, (steps[0].loss + steps[1].loss + steps[2].loss) / 3, 1e-12);
  EXPECT_NEAR(lines[1].gradient_norm, (steps[3].gradient_norm + steps[4].gradient_norm) / 2, 1e-12);
}

}  // namespace
}  // namespace r1
