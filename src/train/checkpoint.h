// Checkpoints: everything that a run needs to go on as if it had never stopped.
//
// A checkpoint is OUTPUT/checkpoints/step-00001234.safetensors (weights and optimiser state) and, written
// last, step-00001234.json (the numbers of the run, and size and SHA-256 of the first file). Each file
// appears whole or not at all; one without its .json, or whose hash differs, does not count.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/optimiser.h"
#include "train/parameters.h"

namespace r1 {

/// Progress of a training run, as stored in a checkpoint.
struct RunState {
  int64_t step = 0;              // steps done
  int64_t epoch = 0, batch = 0;  // of the next micro-batch
  int64_t tokens = 0;            // rows that went through the model
  double loss_mean = 0;          // running mean and variance, for the search for spikes
  double loss_variance = 0;
  int64_t loss_count = 0;
  double best_loss = 0;  // of evaluations; best_step 0: none yet
  int64_t best_step = 0;
  int64_t evaluations_since_best = 0;
  int64_t steps = 0;         // that the learning rate was scheduled for; 0: not known
  bool drops_rest = false;   // a run of before: passes that do not fill a step are not trained
  double seconds = 0;        // time spent so far
  uint64_t fingerprint = 0;  // of the data and of the names and sizes of what is trained
  std::map<std::string, std::string> settings;  // options that determine the run, by name
};

/// Writes the checkpoint of state.step, then deletes all but the newest `keep`.
void write_checkpoint(const std::filesystem::path& output, const RunState& state, const ParameterStore& store,
                      Optimiser& optimiser, int64_t keep);

/// The newest good checkpoint's .json; those that are not good are named through `remark`.
std::optional<std::filesystem::path> find_checkpoint(const std::filesystem::path& output,
                                                     const std::function<void(const std::string&)>& remark);
bool has_checkpoints(const std::filesystem::path& output);
void remove_checkpoints(const std::filesystem::path& output);

/// What a checkpoint's .json says.
RunState read_run_state(const std::filesystem::path& json);

/// Reads weights and optimiser state into their places. Error(bad_file) when names or sizes differ.
RunState read_checkpoint(const std::filesystem::path& json, ParameterStore& store, Optimiser& optimiser);

/// The SHA-256 of a file, in hex.
std::string file_sha256(const std::filesystem::path& path);

}  // namespace r1
