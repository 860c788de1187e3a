// Whether options of a training run make sense: each value by itself, and those that were given beside what
// the run is. Asked before anything is loaded, so that no run ends after hours on a word that nobody knows.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "train/options.h"
#include "train/sample.h"

namespace r1 {

/// "sft", …: as the commands are called.
std::string_view name_of(TrainingStage stage);

/// Whether option `name` can mean something in this stage (beta: in dpo and kto).
bool has_meaning_in(std::string_view name, TrainingStage stage);

/// Throws Error(invalid_argument) "name: expected …, found …" for a number out of its range, an unknown word,
/// and an option that was given although the run has no use for it, or that contradicts another.
/// `given(name)`: whether somebody asked for it; defaults are never refused.
void check_training_options(const TrainingOptions& options, TrainingStage stage,
                            const std::function<bool(const std::string& name)>& given);

}  // namespace r1
