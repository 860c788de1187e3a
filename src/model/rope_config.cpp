#include "model/rope_config.h"

#include "base/error.h"

namespace r1 {
namespace {

constexpr double kMostContext = 1e9;
constexpr double kMostFactor = 1e6;

// GGUF: rope.scaling.* ; the llama3 kind is not named there but stored as rope_freqs.weight.
void read_gguf_scaling(const ConfigReader& reader, RopeConfig& config) {
  const ConfigKey type{"rope.scaling.type", ""};
  config.scaling = reader.find_text(type).value_or("none");
  reader.require_known(type, config.scaling, {"none", "linear", "yarn"});
  if (const auto factor = reader.find_number({"rope.scale_linear", ""}, 1e-6, kMostFactor);
      factor && *factor != 1 && config.scaling == "none") {
    config.scaling = "linear";  // the key of early files
    config.factor = *factor;
    return;
  }
  if (config.scaling == "none") return;
  config.factor = reader.number({"rope.scaling.factor", ""}, 1e-6, kMostFactor);
  if (config.scaling != "yarn") return;
  config.yarn.factor = config.factor;
  config.yarn.original_context =
      static_cast<double>(reader.integer({"rope.scaling.original_context_length", ""}, 1, kMostContext));
  config.yarn.beta_fast =
      reader.find_number({"rope.scaling.yarn_beta_fast", ""}, 1e-6, 1e6).value_or(config.yarn.beta_fast);
  config.yarn.beta_slow =
      reader.find_number({"rope.scaling.yarn_beta_slow", ""}, 1e-6, 1e6).value_or(config.yarn.beta_slow);
  // 0.1 · mscale_all_dim.
  if (const auto multiplier = reader.find_number({"rope.scaling.yarn_log_multiplier", ""}, 0, 100)) {
    config.score_multiplier = *multiplier * 10;
  }
  for (const char* key :
       {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor"}) {
    const auto value = reader.find_number({key, ""}, -1e6, 1e6);
    if (value && *value != 1) {
      throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 1", reader.where({key, ""}),
                  *value);
    }
  }
}

// config.json: rope_scaling, or rope_parameters (newer files, with the base inside).
void read_hub_scaling(const ConfigReader& reader, RopeConfig& config) {
  std::optional<ConfigReader> scaling = reader.find_object("rope_parameters");
  if (scaling) {
    config.base = scaling->find_number({"", "rope_theta"}, 1, 1e12).value_or(config.base);
  } else {
    scaling = reader.find_object("rope_scaling");
  }
  if (!scaling) return;
  const ConfigKey type = scaling->has({"", "rope_type"}) ? ConfigKey{"", "rope_type"} : ConfigKey{"", "type"};
  config.scaling = scaling->text(type);
  if (config.scaling == "default") config.scaling = "none";
  scaling->require_known(type, config.scaling, {"none", "linear", "llama3", "yarn"});
  if (config.scaling == "none") return;
  config.factor = scaling->number({"", "factor"}, 1e-6, kMostFactor);
  if (config.scaling == "linear") return;
  const ConfigKey original{"", "original_max_position_embeddings"};
  if (config.scaling == "llama3") {
    config.llama3.factor = config.factor;
    config.llama3.low_frequency_factor = scaling->number({"", "low_freq_factor"}, 1e-6, kMostFactor);
    config.llama3.high_frequency_factor = scaling->number({"", "high_freq_factor"}, 1e-6, kMostFactor);
    config.llama3.original_context = static_cast<double>(scaling->integer(original, 1, kMostContext));
    if (config.llama3.high_frequency_factor <= config.llama3.low_frequency_factor) {
      throw_error(ErrorKind::bad_file, "{}: expected more than low_freq_factor ({}), found {}",
                  scaling->where({"", "high_freq_factor"}), config.llama3.low_frequency_factor,
                  config.llama3.high_frequency_factor);
    }
    return;
  }
  config.yarn.factor = config.factor;
  config.yarn.original_context = static_cast<double>(scaling->integer(original, 1, kMostContext));
  config.yarn.beta_fast = scaling->find_number({"", "beta_fast"}, 1e-6, 1e6).value_or(config.yarn.beta_fast);
  config.yarn.beta_slow = scaling->find_number({"", "beta_slow"}, 1e-6, 1e6).value_or(config.yarn.beta_slow);
  config.magnitude_multiplier = scaling->find_number({"", "mscale"}, 0, 1000);
  config.score_multiplier = scaling->find_number({"", "mscale_all_dim"}, 0, 1000);
  config.attention_factor = scaling->find_number({"", "attention_factor"}, 1e-6, 1000);
}

}  // namespace

RopeConfig read_rope_config(const ConfigReader& reader) {
  RopeConfig config;
  // Both forms document 10000 as the base where none is written.
  config.base = reader.find_number({"rope.freq_base", "rope_theta"}, 1, 1e12).value_or(config.base);
  if (reader.is_gguf()) {
    read_gguf_scaling(reader, config);
  } else {
    read_hub_scaling(reader, config);
  }
  return config;
}

RopeFrequencies rope_frequencies(const RopeConfig& config, int64_t columns) {
  RopeFrequencies rope = plain_rope(columns, config.base);
  if (config.scaling == "linear") apply_linear_scaling(rope, config.factor);
  if (config.scaling == "llama3") apply_llama3_scaling(rope, config.llama3);
  if (config.scaling == "yarn") apply_yarn_scaling(rope, columns, config.base, config.yarn);
  return rope;
}

RopeFrequencies rope_frequencies_with_magnitude(const RopeConfig& config, int64_t columns) {
  RopeFrequencies rope = rope_frequencies(config, columns);
  if (config.scaling != "yarn") return rope;
  if (config.attention_factor) {
    rope.magnitude = *config.attention_factor;
  } else if (config.magnitude_multiplier && config.score_multiplier) {
    rope.magnitude = yarn_magnitude(config.factor, *config.magnitude_multiplier) /
                     yarn_magnitude(config.factor, *config.score_multiplier);
  } else {
    rope.magnitude = yarn_magnitude(config.factor, 1);
  }
  return rope;
}

}  // namespace r1
