// The data of a training run as its options name it: what is trained, what is held back, and their batches.
#pragma once

#include <memory>

#include "train/data/data_set.h"
#include "train/options.h"
#include "train/stage.h"

namespace r1 {

struct TrainingData {
  std::shared_ptr<const DataSet> trained;
  std::shared_ptr<const DataSet> held_back;  // null: nothing is evaluated
  std::unique_ptr<BatchSource> batches;
  std::unique_ptr<BatchSource> evaluation;  // null with held_back
};

/// Reads options.data, and options.eval_data or a share of the former. Throws Error(invalid_argument) for an
/// option with an unknown value, and as load_data_set() and make_batches() do.
TrainingData load_training_data(const TrainingDataOptions& options, TrainingStage stage, uint64_t seed,
                                const SampleRenderer& renderer, ThreadPool& pool);

}  // namespace r1
