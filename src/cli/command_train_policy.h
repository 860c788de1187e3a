// r1 train grpo.
#pragma once

#include "cli/options.h"
#include "train/options.h"

namespace r1::cli {

/// The whole run. Throws Error.
void train_policy(TrainingOptions options, const RuntimeOptions& runtime);

}  // namespace r1::cli
