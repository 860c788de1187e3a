// From a model's rotation settings to the frequencies that the ops rotate by.
#pragma once

#include "formats/model_config.h"
#include "nn/rope.h"

namespace r1 {

/// Frequencies for `columns` rotated elements of a head, with the scaling and YaRN's magnitude applied.
RopeFrequencies rope_frequencies(const RopeConfig& config, int64_t columns);

}  // namespace r1
