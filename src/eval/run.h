// One evaluation: one benchmark, one model, k samples a question. Its folder holds
//   run.json         what was asked (RunDescription)
//   questions.jsonl  the items as they were asked, so that the folder is complete without the data
//   answers.jsonl    one line a sample, appended and fsynced as it ends: what resuming reads
//   report.json, report.md, report.html
// Verdicts are not kept: they are computed from the answers, so that a better grader needs no new answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
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
  int64_t samples = 1;            // k
  int64_t limit = -1;             // first questions; -1: all
  int64_t shard = 0, shards = 1;  // of them those whose position modulo `shards` is `shard`
  int64_t questions = 0;          // of the data, after the limit and before the shard
  double temperature = 0.6, top_p = 0.95;
  std::map<std::string, double> further_sampling{};  // "top_k", "min_p", …: those that are not off
  std::string cache_types{};                         // local models: "f16/f16", keys and values
  int64_t max_tokens = 32'768;  // asked for; a question has at most context_length less its prompt
  int64_t context_length = 0;   // local models; 0: an endpoint's, unknown
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

/// Whether two runs are parts of one: same benchmark, weights, data, sampling and seed; shards, limits and numbers of samples
/// may differ. Empty: they are. Else what differs, as "temperature: 0.6 and 0.7".
std::string run_difference(const RunDescription& a, const RunDescription& b);

/// Several folders that are parts of one run, as one: what `r1 eval report A B` shows. The order of the folders makes no
/// difference. Throws Error(invalid_argument) that names the folder and what differs.
Run read_runs(std::span<const std::filesystem::path> folders, const GradingContext& context);

}  // namespace r1::eval
