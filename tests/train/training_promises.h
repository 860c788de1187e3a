// Short runs over a tiny model, for tests of what the options of a run promise.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"
#include "tests/train/tiny_training.h"
#include "train/data_steps.h"
#include "train/trainer.h"
#include "train/training_step.h"

namespace r1 {

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
    Trainer(run.context, run.decoder(), run.store, options_, source, nullptr, ActivationStorage::everything,
            hooks)
        .run();
    return reports;
  }
  std::vector<double> rates(int64_t steps) const {
    std::vector<double> all;
    for (int64_t step = 1; step <= steps; ++step) all.push_back(scheduled_rate(options_, step, steps));
    return all;
  }

  const test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path;
  TrainingOptions options_;
};

}  // namespace r1
