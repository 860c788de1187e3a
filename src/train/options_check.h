// Validates training options: each value's range, and whether each given option applies to this run. Runs before
// anything is loaded, so that a typo never costs hours.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "train/option_table.h"

namespace r1 {

/// Whether a stage knows option `name` (beta: dpo and kto).
bool has_meaning_in(std::string_view name, TrainingStage stage);

/// Throws Error(invalid_argument) "name: expected …, found …" for a number out of its range and for an option that
/// was given although the run has no use for it, or that contradicts another.
/// `given(name)`: whether somebody asked for it; defaults are never refused.
void check_training_options(const TrainingOptions& options, TrainingStage stage,
                            const std::function<bool(const std::string& name)>& given);

/// The settings that determine the weights besides the data, as text by name; a run is resumed with the same. The number
/// of steps, which may grow, is not among them.
std::map<std::string, std::string> weight_settings(const TrainingOptions& options, TrainingStage stage);

/// The learning rate where nobody gave one: by what is trained, and how (docs/training.md).
double usual_learning_rate(const TrainingOptions& options, TrainingStage stage);

}  // namespace r1
