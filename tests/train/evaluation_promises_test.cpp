// What evaluations during a run promise: the best, patience, the mean loss.
#include <cmath>

#include "base/error.h"
#include "tests/train/training_promises.h"

namespace r1 {
namespace {

/// A held-back set whose loss the test knows: the trained model has learnt to count up, this counts in other strides.
class Evaluations {
 public:
  Evaluations(const TrainingOptions& options, const BatchSource& source, const BatchSource& held_back)
      : run(options) {
    TrainerHooks hooks;
    hooks.on_evaluation = [this](const EvaluationReport& report) { reports.push_back(report); };
    hooks.save_best = [this] { saved.push_back(reports.size()); };
    Trainer trainer(run.context, run.decoder(), run.store, options, source, &held_back,
                    ActivationStorage::everything, hooks);
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
  Trainer trainer(run.context, run.decoder(), run.store, options_, source, nullptr,
                  ActivationStorage::everything, {});
  double sum = 0;
  int64_t targets = 0;
  TrainingCache cache(run.decoder());
  const WeightGradients none;
  for (int64_t i = 0; i < 4; ++i) {
    const TrainingBatch batch = source.batch(0, i);
    for (const float value :
         TrainingPass(run.context, run.decoder(), none, cache, batch, ActivationStorage::layer_inputs)
             .log_probs())
      sum -= value;
    targets += batch.target_count();
  }
  const EvaluationReport report = trainer.evaluate(source);
  EXPECT_EQ(report.targets, targets);
  EXPECT_NEAR(report.loss, sum / static_cast<double>(targets), 1e-9);
}

}  // namespace
}  // namespace r1
