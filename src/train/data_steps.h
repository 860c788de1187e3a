// The steps of a run over data: micro-batches of an epoch after another, some at a time.
#pragma once

#include <cstdint>

#include "train/sample.h"

namespace r1 {

/// Micro-batches in `epochs`, of which a fraction is the beginning of the last one.
int64_t batches_in(const BatchSource& batches, double epochs);

/// Place of the next micro-batch.
struct DataPlace {
  int64_t epoch = 0, batch = 0;
};

/// One thread. `batches` must outlive it.
class DataSteps final : public StepSource {
 public:
  /// `accumulation`: micro-batches of a step. `total`: micro-batches of the run, of which the last step has the rest; 0:
  /// no end.
  DataSteps(const BatchSource& batches, int64_t accumulation, int64_t total);

  std::vector<TrainingBatch> next_step() override;

  const DataPlace& place() const { return place_; }
  void set_place(const DataPlace& place, int64_t steps_done);
  void set_total(int64_t total) { total_ = total; }
  /// Epochs done, with the fraction of the present one.
  double epoch() const;

 private:
  const BatchSource& batches_;
  int64_t accumulation_, total_;
  int64_t done_ = 0;  // micro-batches
  DataPlace place_;
};

}  // namespace r1
