// Training options on the command line and in TOML files.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "train/options.h"
#include "train/stage.h"

namespace r1::cli {

/// Adds a flag --some-name for each option some_name; --help leaves out those without meaning in the stage. `prefix`: of the
/// names, as "student_" where a command trains besides other work.
void add_training_options(Command command, TrainingOptions& options, TrainingStage stage,
                          const std::string& prefix = "");

/// After the command line: reads a TOML file (none: an empty path, unless a list such as --data has taken the
/// file's name; cli/option_file.h) and completes the options.
void finish_training_options(Command command, std::string path, TrainingOptions& options,
                             TrainingStage stage);

/// Sets what depends on the stage where it was not given, and checks all options together (train/options_check.h).
void complete_training_options(Command command, TrainingOptions& options, TrainingStage stage,
                               const std::string& prefix = "");

}  // namespace r1::cli
