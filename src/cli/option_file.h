// TOML files whose keys are options of a command.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"

namespace r1::cli {

/// "--learning-rate" of "learning_rate".
std::string flag_of(std::string name);

/// Reads a file into the options of `command`, to be called when the command line was parsed. Keys are option names. Tables
/// only group them, but for those named in `prefixes`: the key `model` of the table `student` is the option student_model.
/// What the command line gave wins. Throws Error(bad_file) "file:line: …" for an unknown key, one that is given twice, a wrong
/// type or damaged TOML.
void read_option_file(Command command, const std::string& path,
                      const std::vector<std::string>& prefixes = {});

}  // namespace r1::cli
