// r1 train pretrain, sft, dpo, kto, orpo, reward: from data files to a model directory or an adapter.
#pragma once

#include "cli/options.h"
#include "train/options.h"
#include "train/stage.h"

namespace r1::cli {

/// The whole run. Throws Error.
void train_on_samples(TrainingStage stage, TrainingOptions options, const RuntimeOptions& runtime);

}  // namespace r1::cli
