// Checkpoints: everything that a run needs to go on as if it had never stopped.
//
// A checkpoint is OUTPUT/checkpoints/step-00001234.safetensors (weights and optimiser state) and, written
// last, step-00001234.json (the numbers of the run, and size and SHA-256 of the first file). Each file
// appears whole or not at all; one without its .json, or whose hash differs, does not count.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "train/optimiser.h"
#include "train/parameters.h"

namespace r1 {

/// Writes the checkpoint of step `step`, then deletes all but the newest `keep`. `progress`: an object with what the
/// loop itself needs to continue (Trainer: train/run_state.h); "format", "bytes" and "sha256" are added to it.
void write_checkpoint(const std::filesystem::path& output, int64_t step, nlohmann::json progress,
                      const ParameterStore& store, Optimiser& optimiser, int64_t keep);

/// The newest good checkpoint's .json; those that are not good are named through `remark`.
std::optional<std::filesystem::path> find_checkpoint(const std::filesystem::path& output,
                                                     const std::function<void(const std::string&)>& remark);
bool has_checkpoints(const std::filesystem::path& output);
void remove_checkpoints(const std::filesystem::path& output);

/// The progress in a checkpoint's .json.
nlohmann::json read_progress(const std::filesystem::path& json);

/// Reads weights and optimiser state into their places. Error(bad_file) when names or sizes differ.
void read_checkpoint(const std::filesystem::path& json, ParameterStore& store, Optimiser& optimiser);

/// The SHA-256 of a file, in hex.
std::string file_sha256(const std::filesystem::path& path);

}  // namespace r1
