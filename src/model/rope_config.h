// Reads how a model rotates its queries and keys: base, scaling and its parameters, in either form.
#pragma once

#include <optional>
#include <string>

#include "model/config_reader.h"
#include "nn/rope.h"

namespace r1 {

struct RopeConfig {
  double base = 10000;
  std::string scaling = "none";  // "none", "linear", "llama3" or "yarn"
  double factor = 1;             // of linear, llama3, yarn
  Llama3Scaling llama3;
  YarnScaling yarn;
  // YaRN's magnitudes: factors of 0.1 · ln(factor) for the rotation and for the scores. Absent: the file
  // does not say.
  std::optional<double> magnitude_multiplier, score_multiplier;
  std::optional<double> attention_factor;  // given outright instead
};

/// Reads and checks. A scaling type that is not listed above is Error(unsupported) that names it.
RopeConfig read_rope_config(const ConfigReader& reader);

/// Frequencies for `columns` rotated elements of a head, with linear, llama3 or YaRN scaling applied.
/// YaRN's magnitude is left at 1.
RopeFrequencies rope_frequencies(const RopeConfig& config, int64_t columns);

/// The same with YaRN's magnitude in sine and cosine, as all but DeepSeek's models have it.
RopeFrequencies rope_frequencies_with_magnitude(const RopeConfig& config, int64_t columns);

}  // namespace r1
