#include "formats/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "formats/config_reader.h"
#include "formats/rope_reading.h"

namespace r1 {
namespace {

struct Architecture {
  std::string_view gguf;        // general.architecture
  std::string_view model_type;  // of config.json
  std::string_view hub_class;   // in `architectures` of config.json
  // transformers' defaults of max_position_embeddings and head_dim (0: hidden_size / heads).
  int64_t context_length;
  int64_t head_columns;
};

constexpr std::array kArchitectures = {
    Architecture{"llama", "llama", "LlamaForCausalLM", 2048, 0},
    Architecture{"llama", "mistral", "MistralForCausalLM", 131072, 0},
    Architecture{"qwen2", "qwen2", "Qwen2ForCausalLM", 32768, 0},
    Architecture{"qwen3", "qwen3", "Qwen3ForCausalLM", 32768, 128},
    Architecture{"deepseek2", "deepseek_v3", "DeepseekV3ForCausalLM", 4096, 0},
};

[[noreturn]] void refuse_architecture(const ModelFile& file, std::string_view key, const std::string& name,
                                      std::string_view Architecture::*form) {
  std::vector<std::string_view> known;
  for (const Architecture& architecture : kArchitectures) {
    if (std::ranges::find(known, architecture.*form) == known.end()) known.push_back(architecture.*form);
  }
  throw_error(ErrorKind::unsupported, "{}: {}: '{}' is not supported; known: {} (list in docs/models.md)",
              file.path().string(), key, name, fmt::join(known, ", "));
}

const Architecture& find_architecture(const ModelFile& file) {
  std::string_view Architecture::*form = nullptr;
  std::string_view key;
  std::string name;
  if (const GgufFile* gguf = file.gguf()) {
    form = &Architecture::gguf;
    key = "general.architecture";
    name = gguf->require_string(key);
  } else if (const auto type = ConfigReader(file, "").find_text({"", "model_type"})) {
    form = &Architecture::model_type;
    key = "model_type";
    name = *type;
  } else {
    form = &Architecture::hub_class;
    key = "architectures";
    const auto names = file.hub()->config->find(key);
    if (names == file.hub()->config->end() || !names->is_array() || names->empty() ||
        !(*names)[0].is_string()) {
      throw_error(ErrorKind::bad_file, "{}: model_type: is missing", file.path().string());
    }
    name = (*names)[0].get<std::string>();
  }
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.*form == name) return architecture;
  }
  refuse_architecture(file, key, name, form);
}

/// Settings that would change the computation and are not done here.
void refuse_variants(const ConfigReader& reader, const ModelConfig& config) {
  const ConfigKey activation{"", "hidden_act"};
  reader.require_known(activation, reader.find_text(activation).value_or("silu"), {"silu", "swish"});
  if (!config.experts) {
    const ConfigKey experts{"expert_count", "num_local_experts"};
    if (reader.find_integer(experts, 0, kMaxExperts).value_or(0) != 0) {
      throw_error(ErrorKind::unsupported, "{}: experts are not supported in a {} model; known: 0",
                  reader.where(experts), config.architecture);
    }
  }
  const ConfigKey partial{"", "partial_rotary_factor"};
  if (const auto part = reader.find_number(partial, 0, 1); part && *part != 1) {
    throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 1", reader.where(partial), *part);
  }
  for (const char* key :
       {"attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias", "attn_logit_softcapping",
        "final_logit_softcapping", "logit_scale", "residual_scale", "embedding_scale", "rope.scaling.alpha",
        "attention.sliding_window_pattern"}) {
    if (!reader.has({key, ""})) continue;
    // A factor of nothing (0: unset, 1) is written by some converters.
    const bool number = std::string_view(key) != "attention.sliding_window_pattern";
    const double value = number ? reader.number({key, ""}, -1e30, 1e30) : -1;
    if (value != 0 && value != 1)
      throw_error(ErrorKind::unsupported, "{}: is not supported", reader.where({key, ""}));
  }
}

int64_t read_sliding_window(const ConfigReader& reader, std::string_view model_type) {
  constexpr ConfigKey kWindow{"attention.sliding_window", "sliding_window"};
  if (!reader.is_gguf()) {
    // Qwen writes a window and a switch for it; Mistral's window is on where it is written.
    reader.refuse_true({"", "use_sliding_window"});
    if (model_type != "mistral") return 0;
  }
  return reader.find_integer(kWindow, 0, kMaxContext).value_or(0);
}

void read_heads(const ConfigReader& reader, const Architecture& architecture, ModelConfig& config) {
  const ConfigKey heads{"attention.head_count", "num_attention_heads"};
  const ConfigKey key_value_heads{"attention.head_count_kv", "num_key_value_heads"};
  const ConfigKey width{"attention.key_length", "head_dim"};
  // Both forms define: as many as query heads where not written.
  config.key_value_heads = reader.find_integer(key_value_heads, 1, kMaxHeads).value_or(config.heads);
  if (config.heads % config.key_value_heads != 0) {
    throw_error(ErrorKind::bad_file, "{}: expected a divisor of {} heads, found {}",
                reader.where(key_value_heads), config.heads, config.key_value_heads);
  }
  const auto written = reader.find_integer(width, 2, 65536);
  config.head_columns_written = written.has_value();
  if (written) {
    config.head_columns = *written;
  } else if (!reader.is_gguf() && architecture.head_columns != 0) {
    config.head_columns = architecture.head_columns;
  } else if (config.hidden % config.heads == 0) {
    config.head_columns = config.hidden / config.heads;
  } else {
    throw_error(ErrorKind::bad_file, "{}: expected a divisor of the hidden width {}, found {}",
                reader.where(heads), config.hidden, config.heads);
  }
  if (config.head_columns % 2 != 0) {
    throw_error(ErrorKind::bad_file, "{}: expected heads of even width, found {}",
                reader.where(written ? width : heads), config.head_columns);
  }
  for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
    const auto columns = reader.find_integer({key, ""}, 1, 65536);
    if (columns && *columns != config.head_columns) {
      throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: the head's width, {}",
                  reader.where({key, ""}), *columns, config.head_columns);
    }
  }
}

void read_biases(const ConfigReader& reader, ModelConfig& config) {
  config.query_key_norm = config.architecture == "qwen3";
  if (config.architecture == "qwen2") {
    config.query_key_value_bias = true;  // always, and never on the output
    return;
  }
  if (reader.is_gguf()) return;
  const bool attention = reader.find_flag({"", "attention_bias"}).value_or(false);
  config.query_key_value_bias = config.attention_output_bias = attention;
  config.feed_forward_bias = reader.find_flag({"", "mlp_bias"}).value_or(false);
}

LatentConfig read_latent(const ConfigReader& reader) {
  LatentConfig latent;
  latent.query_rank = reader.find_integer({"attention.q_lora_rank", "q_lora_rank"}, 0, kMaxWidth).value_or(0);
  latent.key_value_rank = reader.integer({"attention.kv_lora_rank", "kv_lora_rank"}, 1, kMaxWidth);
  latent.rotary = reader.integer({"rope.dimension_count", "qk_rope_head_dim"}, 2, 65536);
  if (reader.is_gguf()) {
    // Files made for the compressed cache give the cache row's widths as key_length and value_length.
    const bool compressed = reader.has({"attention.key_length_mla", ""});
    const ConfigKey key{compressed ? "attention.key_length_mla" : "attention.key_length", ""};
    const ConfigKey value{compressed ? "attention.value_length_mla" : "attention.value_length", ""};
    const int64_t columns = reader.integer(key, 1, 65536);
    if (columns <= latent.rotary) {
      throw_error(ErrorKind::bad_file, "{}: expected more than the {} rotated columns, found {}",
                  reader.where(key), latent.rotary, columns);
    }
    latent.plain = columns - latent.rotary;
    latent.value = reader.integer(value, 1, 65536);
  } else {
    latent.plain = reader.integer({"", "qk_nope_head_dim"}, 1, 65536);
    latent.value = reader.integer({"", "v_head_dim"}, 1, 65536);
  }
  if (latent.rotary % 2 != 0) {
    throw_error(ErrorKind::bad_file, "{}: expected an even number, found {}",
                reader.where({"rope.dimension_count", "qk_rope_head_dim"}), latent.rotary);
  }
  return latent;
}

void check_routing_function(const ConfigReader& reader) {
  if (reader.is_gguf()) {
    const ConfigKey gate{"expert_gating_func", ""};
    if (const int64_t function = reader.integer(gate, 0, 255); function != 2) {
      throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 2 (sigmoid)", reader.where(gate),
                  function);
    }
    return;
  }
  const ConfigKey scoring{"", "scoring_func"};
  reader.require_known(scoring, reader.find_text(scoring).value_or("sigmoid"), {"sigmoid"});
  const ConfigKey method{"", "topk_method"};
  reader.require_known(method, reader.find_text(method).value_or("noaux_tc"), {"noaux_tc"});
  const ConfigKey frequency{"", "moe_layer_freq"};
  if (const auto every = reader.find_integer(frequency, 1, kMaxLayers); every && *every != 1) {
    throw_error(ErrorKind::unsupported, "{}: {} is not supported; known: 1", reader.where(frequency), *every);
  }
}

ExpertConfig read_experts(const ConfigReader& reader, ModelConfig& config) {
  check_routing_function(reader);
  const ConfigKey chosen{"expert_used_count", "num_experts_per_tok"};
  const ConfigKey groups{"expert_group_count", "n_group"};
  const ConfigKey chosen_groups{"expert_group_used_count", "topk_group"};
  ExpertConfig result;
  result.experts = reader.integer({"expert_count", "n_routed_experts"}, 1, kMaxExperts);
  result.chosen = reader.integer(chosen, 1, result.experts);
  result.normalise = reader.flag({"expert_weights_norm", "norm_topk_prob"});
  result.scale = reader.number({"expert_weights_scale", "routed_scaling_factor"}, 1e-6, 1e6);
  result.width = reader.integer({"expert_feed_forward_length", "moe_intermediate_size"}, 1, kMaxWidth);
  result.shared = reader.find_integer({"expert_shared_count", "n_shared_experts"}, 0, 64).value_or(0);
  if (reader.is_gguf() && result.experts == 256 && !reader.has(groups) && !reader.has(chosen_groups)) {
    // Files of early 2025 do not say; every published model with 256 experts has these.
    result.groups = 8;
    result.chosen_groups = 4;
    config.remarks.push_back(fmt::format("{}: is missing: 8 groups of experts, 4 of them used, are assumed",
                                         reader.where(groups)));
  } else {
    result.groups = reader.integer(groups, 1, result.experts);
    result.chosen_groups = reader.integer(chosen_groups, 1, result.groups);
  }
  if (result.experts % result.groups != 0) {
    throw_error(ErrorKind::bad_file, "{}: expected a divisor of {} experts, found {}", reader.where(groups),
                result.experts, result.groups);
  }
  const int64_t choice = result.chosen_groups * (result.experts / result.groups);
  if (result.chosen > choice) {
    throw_error(ErrorKind::bad_file, "{}: expected at most the {} experts of {} groups, found {}",
                reader.where(chosen), choice, result.chosen_groups, result.chosen);
  }
  return result;
}

void read_deepseek(const ConfigReader& reader, ModelConfig& config) {
  reader.refuse_true({"", "attention_bias"});
  const ConfigKey prediction{"nextn_predict_layers", "num_nextn_predict_layers"};
  config.prediction_layers = reader.find_integer(prediction, 0, kMaxLayers).value_or(0);
  if (reader.is_gguf() && config.prediction_layers > 0) {  // GGUF counts them as blocks
    if (config.prediction_layers >= config.layers) {
      throw_error(ErrorKind::bad_file, "{}: expected fewer than {} blocks, found {}",
                  reader.where(prediction), config.layers, config.prediction_layers);
    }
    config.layers -= config.prediction_layers;
  }
  config.key_value_heads = config.heads;
  config.dense_layers = reader.integer({"leading_dense_block_count", "first_k_dense_replace"}, 0, kMaxLayers);
  config.latent = read_latent(reader);
  if (config.dense_layers < config.layers) config.experts = read_experts(reader, config);
}

int64_t read_vocabulary_size(const ModelFile& file, const ConfigReader& reader) {
  if (const auto written = reader.find_integer({"vocab_size", "vocab_size"}, 1, kMaxWidth)) return *written;
  const TensorView* table = file.find(reader.is_gguf() ? "token_embd.weight" : "model.embed_tokens.weight");
  return table != nullptr && !table->shape.empty() ? table->rows() : 0;
}

/// N of "blk.N.…" or "model.layers.N.…"; -1: none.
int64_t layer_of(std::string_view name) {
  for (const std::string_view prefix : {"blk.", "model.layers."}) {
    if (!name.starts_with(prefix)) continue;
    int64_t layer = -1;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, layer);
    return error == std::errc() && stop != end && *stop == '.' ? layer : -1;
  }
  return -1;
}

bool same_values(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.bytes == b.bytes && std::equal(a.data, a.data + a.bytes, b.data);
}

}  // namespace

ModelConfig read_model_config(const ModelFile& file) {
  const Architecture& architecture = find_architecture(file);
  const ConfigReader reader(file, std::string(architecture.gguf));
  ModelConfig config;
  config.architecture = architecture.gguf;
  config.layers = reader.integer({"block_count", "num_hidden_layers"}, 1, kMaxLayers);
  config.hidden = reader.integer({"embedding_length", "hidden_size"}, 1, kMaxWidth);
  config.middle = reader.integer({"feed_forward_length", "intermediate_size"}, 1, kMaxWidth);
  config.heads = reader.integer({"attention.head_count", "num_attention_heads"}, 1, kMaxHeads);
  const ConfigKey context{"context_length", "max_position_embeddings"};
  config.context_length =
      reader.is_gguf() ? reader.integer(context, 1, kMaxContext)
                       : reader.find_integer(context, 1, kMaxContext).value_or(architecture.context_length);
  const ConfigKey epsilon{"attention.layer_norm_rms_epsilon", "rms_norm_eps"};
  config.epsilon = reader.is_gguf() ? reader.number(epsilon, 1e-12, 0.1)
                                    : reader.find_number(epsilon, 1e-12, 0.1).value_or(1e-6);
  config.vocabulary = read_vocabulary_size(file, reader);
  config.tied_embeddings = reader.is_gguf() ? file.find("output.weight") == nullptr
                                            : reader.find_flag({"", "tie_word_embeddings"}).value_or(false);
  if (config.architecture == "deepseek2") {
    read_deepseek(reader, config);
  } else {
    read_heads(reader, architecture, config);
    read_biases(reader, config);
    config.sliding_window = read_sliding_window(reader, architecture.model_type);
  }
  refuse_variants(reader, config);
  config.rope = read_rope_config(reader, config);
  return config;
}

ModelConfig read_model_config(const nlohmann::json& config) {
  return read_model_config(*ModelFile::in_memory(config, {}));
}

std::vector<std::string> account_for_tensors(const ModelFile& file, const ModelConfig& config,
                                             const std::vector<std::string>& used) {
  const std::unordered_set<std::string_view> places(used.begin(), used.end());
  std::vector<std::string> remarks;
  const auto remark = [&](std::string_view text) {
    remarks.push_back(fmt::format("{}: {}", file.path().string(), text));
  };
  // Layers of multi-token prediction are announced, or known by the tensors that only such a layer has.
  std::unordered_set<int64_t> prediction_layers;
  for (int64_t i = 0; i < config.prediction_layers; ++i) prediction_layers.insert(config.layers + i);
  for (const TensorView& tensor : file.tensors()) {
    const bool prediction =
        tensor.name.find(".nextn.") != std::string::npos || tensor.name.ends_with(".eh_proj.weight");
    if (prediction && config.architecture == "deepseek2") prediction_layers.insert(layer_of(tensor.name));
  }
  int64_t prediction_tensors = 0;
  for (const TensorView& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (places.contains(name)) continue;
    if (name.ends_with("_scale_inv") && places.contains(name.substr(0, name.size() - 10))) continue;
    // Frequencies that follow from the rotation's base.
    if (name.ends_with("rotary_emb.inv_freq") || name.ends_with(".attn_rot_embd.weight") ||
        name == "rope.freqs") {
      continue;
    }
    const int64_t layer = layer_of(name);
    if (layer >= config.layers && prediction_layers.contains(layer)) {
      ++prediction_tensors;
      continue;
    }
    if (name == "lm_head.weight" && config.tied_embeddings) {
      const TensorView* embedding = file.find("model.embed_tokens.weight");
      if (embedding == nullptr || !same_values(tensor, *embedding))
        remark("lm_head.weight is not used: config.json ties the output to the embeddings");
      continue;
    }
    if (name == "score.weight") {
      remark("score.weight, the head of a reward model, is not used");
      continue;
    }
    if (layer >= config.layers) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected a layer below {} ({})",
                  file.path().string(), name, config.layers,
                  file.gguf() != nullptr ? "block_count" : "num_hidden_layers");
    }
    throw_error(ErrorKind::bad_file, "{}: tensor '{}' has no place in a model of architecture {}",
                file.path().string(), name, config.architecture);
  }
  if (prediction_tensors > 0) {
    remark(fmt::format("{} tensors of layers from {} on (multi-token prediction) are not used",
                       prediction_tensors, config.layers));
  }
  return remarks;
}

}  // namespace r1
