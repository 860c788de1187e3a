// One evaluation: one benchmark, one model, k samples a question. Its folder holds
//   run.json       what was asked (RunDescription)
//   answers.jsonl  one line a sample, appended and fsynced as it ends: what resuming reads
//   report.json, report.md, report.html
// Verdicts are not kept: they are computed from the answers, so that a better grader needs no new answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eval/benchmark.h"

namespace r1::eval {

/// Everything that determines the answers, and where they came from.
struct RunDescription {
  std::string benchmark;                 // Benchmark::name
  std::string model;                     // file or the endpoint's model name, as typed
  std::string weights_sha256;            // local models; empty: an endpoint
  std::vector<std::string> endpoints{};  // base addresses without keys; empty: a local model
  std::string data_file;                 // its name without folders
  std::string data_sha256;
  int64_t samples = 1;  // k
  int64_t limit = -1;   // first questions; -1: all
  double temperature = 0.6, top_p = 0.95;
  int64_t max_tokens = 32'768;
  uint64_t seed = 0;
  std::string system_prompt{};
  std::string judge{};  // address and model of the judge; empty: none
  std::string version;  // of the program
};

/// Items with their answers. Items keep the data's order; samples are sorted by item, then by index.
struct Run {
  RunDescription description;
  std::vector<Item> items;
  std::vector<Sample> samples;
  std::vector<Verdict> verdicts;  // of samples, in the same order
};

/// Reads a finished or interrupted run's folder, and grades it. Throws Error(io, bad_file) that names the file and line.
Run read_run(const std::filesystem::path& folder, const GradingContext& context);

}  // namespace r1::eval
