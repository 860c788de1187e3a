// r1 pipeline --plan: memory and time of each stage before anything runs.
#pragma once

#include <filesystem>

#include "cli/pipeline/recipe.h"

namespace r1::cli {

/// Memory is planned as `r1 train` does it. Time is of one measured pass, times the passes that are counted from options and data; of
/// stages that are done, what they took. A model that an earlier stage will leave is stood in for by random weights of its shape. Throws
/// Error.
void print_pipeline_plan(const Recipe& recipe, const std::filesystem::path& output);

}  // namespace r1::cli
