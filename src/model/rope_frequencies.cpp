#include "model/rope_frequencies.h"

namespace r1 {

RopeFrequencies rope_frequencies(const RopeConfig& config, int64_t columns) {
  RopeFrequencies rope = plain_rope(columns, config.base);
  switch (config.scaling) {
    case RopeConfig::Scaling::none:
      break;
    case RopeConfig::Scaling::linear:
      apply_linear_scaling(rope, config.factor);
      break;
    case RopeConfig::Scaling::llama3:
      apply_llama3_scaling(rope, {config.factor, config.low_frequency_factor, config.high_frequency_factor,
                                  config.original_context});
      break;
    case RopeConfig::Scaling::yarn:
      apply_yarn_scaling(rope, columns, config.base,
                         {config.factor, config.original_context, config.beta_fast, config.beta_slow});
      rope.magnitude = config.magnitude;
      break;
  }
  return rope;
}

}  // namespace r1
