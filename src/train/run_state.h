// The progress of the trainer's loop (train/trainer.h). Other loops keep progress of their own in a checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

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

nlohmann::json to_json(const RunState& state);
/// `where`: the file, for errors. Error(bad_file) when a member is missing or of another type.
RunState read_run_state(const nlohmann::json& progress, const std::string& where);

/// Throws Error(invalid_argument) that names the difference, where a checkpoint's run had other settings, data or trained
/// weights than the present one. `where`: the checkpoint.
void require_same_run(const std::string& where, const RunState& found, const RunState& present);

}  // namespace r1
