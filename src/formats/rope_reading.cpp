#include "formats/rope_reading.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace r1 {
namespace {

using Scaling = RopeConfig::Scaling;

constexpr double kMaxFactor = 1e6;

Scaling scaling_from_name(const ConfigReader& reader, ConfigKey key, const std::string& text,
                          std::initializer_list<std::string_view> known) {
  if (text == "default") return Scaling::none;
  reader.require_known(key, text, known);
  return text == "linear"   ? Scaling::linear
         : text == "llama3" ? Scaling::llama3
         : text == "yarn"   ? Scaling::yarn
                            : Scaling::none;
}

double find_factor(const ConfigReader& reader, ConfigKey key, double absent) {
  return reader.find_number(key, 1e-6, kMaxFactor).value_or(absent);
}

// GGUF: rope.scaling.*; the llama3 kind is not named there but stored as rope_freqs.weight.
void read_gguf_scaling(const ConfigReader& reader, ModelConfig& config, RopeConfig& rope) {
  const ConfigKey type{"rope.scaling.type", ""};
  // A factor without a type means linear scaling, as llama.cpp reads it; rope.scale_linear is its early name.
  const auto factor = reader.has({"rope.scaling.factor", ""})
                          ? reader.find_number({"rope.scaling.factor", ""}, 0, kMaxFactor)
                          : reader.find_number({"rope.scale_linear", ""}, 0, kMaxFactor);
  rope.factor = factor.value_or(0) == 0 ? 1 : *factor;
  rope.scaling =
      scaling_from_name(reader, type, reader.find_text(type).value_or("linear"), {"none", "linear", "yarn"});
  if (rope.scaling == Scaling::linear && rope.factor == 1) rope.scaling = Scaling::none;
  if (rope.scaling != Scaling::yarn) return;
  if (!factor) throw_error(ErrorKind::bad_file, "{}: is missing", reader.where({"rope.scaling.factor", ""}));
  rope.original_context =
      static_cast<double>(reader.find_integer({"rope.scaling.original_context_length", ""}, 1, kMaxContext)
                              .value_or(config.context_length));
  rope.beta_fast = find_factor(reader, {"rope.scaling.yarn_beta_fast", ""}, rope.beta_fast);
  rope.beta_slow = find_factor(reader, {"rope.scaling.yarn_beta_slow", ""}, rope.beta_slow);
  // 1: extrapolate as YaRN does; negative: not set.
  const ConfigKey mix{"rope.scaling.yarn_ext_factor", ""};
  if (const auto value = reader.find_number(mix, -1e6, 1e6); value && *value != 1 && *value >= 0)
    throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 1", reader.where(mix), *value);

  // Both multiply YaRN's own magnitude. What converters write as yarn_attn_factor is a hub's attn_factor or
  // attention_factor; readers differ in what they make of it.
  double multiplier = 1;
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"}) {
    const ConfigKey name{key, ""};
    const auto value = reader.find_number(name, 1e-6, 1e6);
    if (!value || *value == 1) continue;
    if (config.latent)
      throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 1", reader.where(name), *value);
    multiplier *= *value;
    if (key == std::string_view("rope.scaling.yarn_attn_factor")) {
      config.remarks.push_back(fmt::format("{}: {}: multiplies YaRN's magnitude of {:.6g}",
                                           reader.where(name), *value, yarn_magnitude(rope.factor, 1)));
    }
  }
  if (config.latent) {
    // 0.1 · mscale_all_dim. GGUF does not store mscale: it takes it to be equal, so that the magnitude is 1.
    const ConfigKey logarithm{"rope.scaling.yarn_log_multiplier", ""};
    const auto value = reader.find_number(logarithm, 0, 100);
    if (!value) throw_error(ErrorKind::bad_file, "{}: is missing (YaRN needs it)", reader.where(logarithm));
    rope.log_multiplier = *value * 10;
    rope.score_magnitude = yarn_magnitude(rope.factor, rope.log_multiplier);
  } else {
    rope.magnitude = multiplier * yarn_magnitude(rope.factor, 1);
  }
}

void read_llama3(const ConfigReader& scaling, RopeConfig& rope) {
  rope.low_frequency_factor = scaling.number({"", "low_freq_factor"}, 1e-6, kMaxFactor);
  rope.high_frequency_factor = scaling.number({"", "high_freq_factor"}, 1e-6, kMaxFactor);
  rope.original_context =
      static_cast<double>(scaling.integer({"", "original_max_position_embeddings"}, 1, kMaxContext));
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    throw_error(ErrorKind::bad_file, "{}: expected more than low_freq_factor ({}), found {}",
                scaling.where({"", "high_freq_factor"}), rope.low_frequency_factor,
                rope.high_frequency_factor);
  }
}

// transformers' rule (modeling_rope_utils): attention_factor replaces YaRN's magnitude; else it follows from
// the factor and, where both are there, from mscale and mscale_all_dim.
void read_hub_yarn(const ConfigReader& scaling, ModelConfig& config, RopeConfig& rope) {
  const double original =
      static_cast<double>(scaling.find_integer({"", "original_max_position_embeddings"}, 1, kMaxContext)
                              .value_or(config.context_length));
  rope.original_context = original;
  rope.factor = find_factor(scaling, {"", "factor"}, static_cast<double>(config.context_length) / original);
  rope.beta_fast = find_factor(scaling, {"", "beta_fast"}, rope.beta_fast);
  rope.beta_slow = find_factor(scaling, {"", "beta_slow"}, rope.beta_slow);
  const double scale = scaling.find_number({"", "mscale"}, 0, 1000).value_or(0);
  const double scale_all = scaling.find_number({"", "mscale_all_dim"}, 0, 1000).value_or(0);
  const ConfigKey replaced{"", "attention_factor"};
  const ConfigKey multiplied{"", "attn_factor"};
  rope.magnitude = scale != 0 && scale_all != 0
                       ? yarn_magnitude(rope.factor, scale) / yarn_magnitude(rope.factor, scale_all)
                       : yarn_magnitude(rope.factor, 1);
  if (const auto factor = scaling.find_number(replaced, 1e-6, 1000)) {
    rope.magnitude = *factor;
  } else if (const auto value = scaling.find_number(multiplied, 1e-6, 1000); value && *value != 1) {
    // R1-0528-Qwen3-8B: vLLM, with which it was served, multiplies; transformers does not know the key.
    config.remarks.push_back(
        fmt::format("{}: {}: multiplies YaRN's magnitude of {:.6g}, as vLLM does; write attention_factor to "
                    "choose another",
                    scaling.where(multiplied), *value, rope.magnitude));
    rope.magnitude *= *value;
  }
  if (!config.latent) return;
  if (scale_all == 0) {
    throw_error(ErrorKind::bad_file, "{}: is missing (YaRN needs it)", scaling.where({"", "mscale_all_dim"}));
  }
  rope.log_multiplier = scale_all;
  rope.score_magnitude = yarn_magnitude(rope.factor, scale_all);
}

// config.json: rope_scaling, or rope_parameters (newer files, with the base inside).
void read_hub_scaling(const ConfigReader& reader, ModelConfig& config, RopeConfig& rope) {
  std::optional<ConfigReader> scaling = reader.find_object("rope_scaling");
  if (const auto parameters = reader.find_object("rope_parameters")) {
    rope.base = parameters->find_number({"", "rope_theta"}, 1, 1e12).value_or(rope.base);
    if (!scaling) scaling = parameters;
  }
  if (!scaling) return;
  const ConfigKey type = scaling->has({"", "rope_type"}) ? ConfigKey{"", "rope_type"} : ConfigKey{"", "type"};
  const auto name = scaling->find_text(type);
  const ConfigKey factor{"", "factor"};
  if (!name) {
    // No type is no scaling; a factor would be lost without a word.
    if (scaling->has(factor)) {
      throw_error(ErrorKind::bad_file, "{}: is missing beside a factor; known: linear, llama3, yarn",
                  scaling->where(type));
    }
    return;
  }
  rope.scaling = scaling_from_name(*scaling, type, *name, {"none", "linear", "llama3", "yarn"});
  if (rope.scaling == Scaling::none) return;
  if (rope.scaling == Scaling::yarn) {
    read_hub_yarn(*scaling, config, rope);
    return;
  }
  rope.factor = scaling->number(factor, 1e-6, kMaxFactor);
  if (rope.scaling == Scaling::llama3) read_llama3(*scaling, rope);
}

}  // namespace

double yarn_magnitude(double factor, double multiplier) {
  return factor <= 1 ? 1 : 0.1 * multiplier * std::log(factor) + 1;
}

std::string_view name(RopeConfig::Scaling scaling) {
  switch (scaling) {
    case Scaling::none:
      return "none";
    case Scaling::linear:
      return "linear";
    case Scaling::llama3:
      return "llama3";
    case Scaling::yarn:
      return "yarn";
  }
  return "unknown";
}

RopeConfig read_rope_config(const ConfigReader& reader, ModelConfig& config) {
  RopeConfig rope;
  // Both forms document 10000 as the base where none is written.
  rope.base = reader.find_number({"rope.freq_base", "rope_theta"}, 1, 1e12).value_or(rope.base);
  if (reader.is_gguf()) {
    read_gguf_scaling(reader, config, rope);
  } else {
    read_hub_scaling(reader, config, rope);
  }
  return rope;
}

}  // namespace r1
