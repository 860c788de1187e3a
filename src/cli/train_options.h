// Training options on the command line and in TOML files.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "train/options.h"
#include "train/stage.h"

namespace r1::cli {

/// Adds a flag --some-name for each option some_name; --help leaves out those without meaning in the stage.
void add_training_options(Command command, TrainingOptions& options, TrainingStage stage);

/// After the command line: reads a TOML file (none: an empty path, unless a list such as --data has taken the
/// file's name) and checks all options together (train/options_check.h). Keys are option names; tables only
/// group them. What the command line gave wins. Throws Error(bad_file) "file:line: …" for an unknown key, one
/// that is given twice, a wrong type or damaged TOML.
void finish_training_options(Command command, std::string path, TrainingOptions& options,
                             TrainingStage stage);

}  // namespace r1::cli
