// Training options on the command line and in TOML files.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "train/options.h"

namespace r1::cli {

/// Adds a flag --some-name for each option some_name.
void add_training_options(CLI::App& command, TrainingOptions& options);

/// Reads a TOML file: keys are option names; tables only group them. What the command line gave wins. Throws
/// Error(bad_file) "file:line: …" for an unknown key, a wrong type or damaged TOML.
void read_training_file(CLI::App& command, const std::string& path);

}  // namespace r1::cli
