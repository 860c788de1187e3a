// Curves of a training run from its trainer_log.jsonl.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace r1::cli {

struct TrainingCurve {
  std::string title;                                          // "entropy"
  std::vector<std::pair<double, double>> training, held_out;  // (step, value)
};

/// Of reinforcement learning: reward, pass@1, tokens of an answer, entropy, format, language; else the loss. Those that the log has, in this
/// order. A missing file: none.
std::vector<TrainingCurve> read_training_curves(const std::filesystem::path& log);

}  // namespace r1::cli
