// The part of read_model_config that reads how queries and keys are rotated.
#pragma once

#include "formats/config_reader.h"
#include "formats/model_config.h"

namespace r1 {

/// `config`: what was read before (architecture, context_length); receives remarks. A scaling type that is
/// not known throws Error(unsupported) by name.
RopeConfig read_rope_config(const ConfigReader& reader, ModelConfig& config);

/// YaRN's magnitude for a factor: 0.1 · multiplier · ln(factor) + 1, and 1 for factors up to 1 (Peng et al.,
/// YaRN, 2023, with the multiplier of DeepSeek's mscale).
double yarn_magnitude(double factor, double multiplier);

}  // namespace r1
