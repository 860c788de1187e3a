// What all stages of `r1 train` do around their steps.
#pragma once

#include <filesystem>

#include "train/memory_plan.h"
#include "train/options.h"
#include "train/stage.h"
#include "train/trained_model.h"

namespace r1::cli {

/// The model to start from; empty: a new one. Throws Error(invalid_argument) for what would lose an earlier run.
std::filesystem::path check_training_places(const TrainingOptions& options, TrainingStage stage);

/// Prints the model and its plan. `rollouts`: bytes of the engine that samples answers; 0: there is none.
void print_memory_plan(const MemoryPlan& plan, TrainedModel& model, size_t rollouts = 0);

/// run.json: what every run is.
nlohmann::ordered_json describe_training_run(const TrainingOptions& options, TrainingStage stage,
                                             TrainedModel& model, const MemoryPlan& plan, int64_t steps);

}  // namespace r1::cli
