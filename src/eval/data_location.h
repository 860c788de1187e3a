// Where the data of benchmarks is on this machine.
#pragma once

#include <filesystem>
#include <string>

#include "eval/benchmark.h"

namespace r1::eval {

/// The folder that `r1 eval fetch` fills: $XDG_DATA_HOME/r1/evals, by default ~/.local/share/r1/evals. Throws Error(io) where neither
/// variable is set.
std::filesystem::path data_folder();

/// The data file of a benchmark. `given`: what --data says, a file or a folder; empty: data_folder(). In a folder it is one of
/// DataSource::files, with its subfolder ("math500/test.jsonl") or without ("test.jsonl"). Throws Error(io) that names what was looked
/// for, where, and how to get it.
std::filesystem::path find_data(const Benchmark& benchmark, const std::string& given = {});

/// The few-shot examples (DataSource::examples_file) beside a data file; empty: the benchmark has none, or the file is not there.
std::filesystem::path find_examples(const Benchmark& benchmark, const std::filesystem::path& data_file);

}  // namespace r1::eval
