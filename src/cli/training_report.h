// What a training run shows: lines and a bar on the terminal, its log, and what its page is made of.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "cli/progress_bar.h"
#include "cli/training_monitor.h"
#include "report/training_log.h"
#include "train/trainer.h"

namespace r1::cli {

/// One run, one thread; `options` must outlive it. Throws Error(io) where files cannot be written.
class TrainingReport {
 public:
  explicit TrainingReport(const TrainingOptions& options);

  /// Before the first step, when it is known whether the run continues from `step`. `description`: run.json.
  void begin(const nlohmann::ordered_json& description, int64_t step, int64_t steps);
  void on_step(const StepReport& report);
  void on_log(const StepReport& report);
  void on_evaluation(const EvaluationReport& report);
  /// A step of reinforcement learning, and an evaluation of its policy: all numbers into the log, the main ones here.
  void on_policy_step(const StepReport& report);
  void on_policy_evaluation(int64_t step, const std::vector<std::pair<std::string, double>>& metrics);
  void on_sample(int64_t step, const SampleAnswer& sample);
  /// `writes_best`: the written weights are those of the best evaluation.
  void end(TrainingEnd end, const RunState& state, bool writes_best);

 private:
  const TrainingOptions& options_;
  ProgressBar bar_;
  std::optional<TrainingLog> log_;
  std::optional<TrainingMonitor> monitor_;
  std::optional<TrainingPageServer> page_;
  StepReport last_;
  int64_t steps_ = 0;
};

}  // namespace r1::cli
