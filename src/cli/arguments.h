// The command line as people type it: llama.cpp's programs have long names behind one dash.
#pragma once

#include <string>
#include <vector>

namespace r1::cli {

/// The program's arguments (without argv[0]), with names such as -ngl, -no-cnv or -ctk written out as
/// --n-gpu-layers and so on. Values and everything behind "--" stay as they are.
std::vector<std::string> normalise_arguments(int argc, const char* const* argv);

}  // namespace r1::cli
