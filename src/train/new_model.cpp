#include "train/new_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

void fill_normal(Parameter& parameter, uint64_t seed, double deviation) {
  const uint64_t stream = mix_bits(seed) ^ fnv1a(parameter.name);
  for (int64_t i = 0; i < parameter.count; ++i) {  // Box and Muller, 1958
    const double radius = std::sqrt(-2 * std::log(1 - random_uniform(stream, 2 * i)));
    const double angle = 2 * std::numbers::pi * random_uniform(stream, 2 * i + 1);
    parameter.values[i] = static_cast<float>(deviation * radius * std::cos(angle));
  }
}

void copy_one(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error)
    throw_error(ErrorKind::io, "{}: cannot copy to {}: {}", from.string(), to.string(), error.message());
}

}  // namespace

nlohmann::json new_model_config(const NewModelOptions& options, const Tokenizer& tokenizer) {
  if (options.heads < 1 || options.hidden % options.heads != 0 || options.hidden / options.heads % 2 != 0) {
    throw_error(ErrorKind::invalid_argument,
                "heads: expected a divisor of hidden {} that leaves an even width, found {}", options.hidden,
                options.heads);
  }
  if (options.key_value_heads < 1 || options.heads % options.key_value_heads != 0) {
    throw_error(ErrorKind::invalid_argument, "key_value_heads: expected a divisor of {} heads, found {}",
                options.heads, options.key_value_heads);
  }
  if (options.layers < 1 || options.intermediate < 1 || options.context_length < 1) {
    throw_error(ErrorKind::invalid_argument,
                "layers, intermediate, context_length: expected at least 1, found {}, {}, {}", options.layers,
                options.intermediate, options.context_length);
  }
  nlohmann::json config = {{"architectures", {"Qwen2ForCausalLM"}},
                           {"model_type", "qwen2"},
                           {"hidden_act", "silu"},
                           {"hidden_size", options.hidden},
                           {"intermediate_size", options.intermediate},
                           {"num_hidden_layers", options.layers},
                           {"num_attention_heads", options.heads},
                           {"num_key_value_heads", options.key_value_heads},
                           {"max_position_embeddings", options.context_length},
                           {"rms_norm_eps", 1e-6},
                           {"rope_theta", options.rope_theta},
                           {"initializer_range", options.initial_deviation},
                           {"attention_dropout", 0.0},
                           {"tie_word_embeddings", options.tie_embeddings},
                           {"use_cache", true},
                           {"use_sliding_window", false},
                           {"vocab_size", tokenizer.size()}};
  if (tokenizer.bos()) config["bos_token_id"] = *tokenizer.bos();
  if (tokenizer.eos()) config["eos_token_id"] = *tokenizer.eos();
  if (!options.name.empty()) config["_name_or_path"] = options.name;
  return config;
}

void add_new_model(const nlohmann::json& config, const NewModelOptions& options, uint64_t seed,
                   ParameterStore& store) {
  const int64_t hidden = options.hidden;
  const int64_t key = hidden / options.heads * options.key_value_heads;
  const int64_t vocabulary = config["vocab_size"];
  const double inner = options.initial_deviation / std::sqrt(2.0 * static_cast<double>(options.layers));
  auto matrix = [&](const std::string& name, int64_t outputs, int64_t inputs, double deviation) {
    fill_normal(store.add(name, {outputs, inputs}), seed, deviation);
  };
  auto constant = [&](const std::string& name, int64_t count, float value) {
    std::fill_n(store.add(name, {count}).values, count, value);
  };
  matrix("model.embed_tokens.weight", vocabulary, hidden, options.initial_deviation);
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    const std::string at = fmt::format("model.layers.{}.", layer);
    constant(at + "input_layernorm.weight", hidden, 1);
    for (const auto& [name, outputs] : {std::pair{"q_proj", hidden}, {"k_proj", key}, {"v_proj", key}}) {
      matrix(at + "self_attn." + name + ".weight", outputs, hidden, options.initial_deviation);
      constant(at + "self_attn." + name + ".bias", outputs, 0);
    }
    matrix(at + "self_attn.o_proj.weight", hidden, hidden, inner);
    constant(at + "post_attention_layernorm.weight", hidden, 1);
    matrix(at + "mlp.gate_proj.weight", options.intermediate, hidden, options.initial_deviation);
    matrix(at + "mlp.up_proj.weight", options.intermediate, hidden, options.initial_deviation);
    matrix(at + "mlp.down_proj.weight", hidden, options.intermediate, inner);
  }
  constant("model.norm.weight", hidden, 1);
  if (!options.tie_embeddings) matrix("lm_head.weight", vocabulary, hidden, options.initial_deviation);
}

namespace {

// As transformers opens a reward model: one label, whose logit is the reward.
void describe_reward_model(nlohmann::json& config) {
  constexpr std::string_view kLanguageModel = "ForCausalLM";
  for (nlohmann::json& name : config.at("architectures")) {
    auto text = name.get<std::string>();
    if (!text.ends_with(kLanguageModel)) continue;
    text.replace(text.size() - kLanguageModel.size(), kLanguageModel.size(), "ForSequenceClassification");
    name = text;
  }
  config["id2label"] = {{"0", "reward"}};
  config["label2id"] = {{"reward", 0}};
}

// The file's own type where weights keep theirs.
DType written_type(SaveType type, const TensorView* stored) {
  switch (type) {
    case SaveType::f32:
      return DType::f32;
    case SaveType::bf16:
      return DType::bf16;
    case SaveType::f16:
      return DType::f16;
    case SaveType::automatic:
      break;
  }
  if (stored == nullptr) return DType::f32;
  if (stored->dtype == DType::nf4) return DType::bf16;
  return stored->dtype == DType::bf16 || stored->dtype == DType::f16 ? stored->dtype : DType::f32;
}

void write_text(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

// Whoever generates stops at the tokens that the training ended answers with, whatever the base ended with.
nlohmann::json generation_config(const HubDescription& description) {
  const fs::path path = description.tokenizer_folder / "generation_config.json";
  nlohmann::json generation = fs::exists(path) ? read_json(path) : nlohmann::json::object();
  std::vector<int32_t> ends;
  const nlohmann::json stored =
      generation.value("eos_token_id", description.config->value("eos_token_id", nlohmann::json()));
  if (stored.is_number_integer()) ends.push_back(stored.get<int32_t>());
  if (stored.is_array()) ends = stored.get<std::vector<int32_t>>();
  for (const int32_t end : description.ends) {
    if (std::ranges::find(ends, end) == ends.end()) ends.push_back(end);
  }
  if (ends.size() == 1) generation["eos_token_id"] = ends.front();
  if (ends.size() > 1) generation["eos_token_id"] = ends;
  return generation;
}

void copy_tokenizer(const fs::path& output, const HubDescription& description) {
  const fs::path& folder = description.tokenizer_folder;
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"}) {
    if (fs::exists(folder / name) && !fs::equivalent(folder, output)) copy_one(folder / name, output / name);
  }
  if (description.chat_template.empty()) return;
  write_text(output / "chat_template.jinja", description.chat_template);
  const fs::path config_path = output / "tokenizer_config.json";
  if (!fs::exists(config_path)) return;
  nlohmann::json config = read_json(config_path);
  if (!config.contains("chat_template")) return;
  config["chat_template"] = description.chat_template;
  write_text(config_path, config.dump(1) + "\n");
}

}  // namespace

void write_hub_directory(const fs::path& output, const HubDescription& description,
                         const std::vector<TensorView>& tensors, SaveType type, const ModelFile* types) {
  fs::create_directories(output);
  std::vector<DType> dtypes;
  dtypes.reserve(tensors.size());
  for (const TensorView& tensor : tensors)
    dtypes.push_back(written_type(type, types != nullptr ? types->find(tensor.name) : nullptr));
  // Widest first, so that all lie aligned.
  std::vector<size_t> order;
  for (const bool wide : {true, false}) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      if ((dtypes[i] == DType::f32) == wide) order.push_back(i);
    }
  }
  SafetensorsWriter writer(output / "model.safetensors");
  writer.set_metadata("format", "pt");
  for (const size_t i : order) writer.declare_tensor(tensors[i].name, dtypes[i], tensors[i].shape);
  std::vector<std::byte> bytes;
  std::vector<float> values;
  for (const size_t i : order) {
    const TensorView& tensor = tensors[i];
    values.resize(static_cast<size_t>(tensor.columns()));
    bytes.resize(row_bytes(dtypes[i], tensor.columns()));
    const size_t stored = row_bytes(tensor.dtype, tensor.columns());
    for (int64_t row = 0; row < tensor.rows(); ++row) {
      dequantise_matrix_row(tensor.dtype, tensor.data + static_cast<size_t>(row) * stored,
                            tensor.block_scales, row, tensor.columns(), 0, values);
      quantise_row(dtypes[i], values, bytes.data());
      writer.append(bytes);
    }
  }
  writer.finish();
  fs::remove(output / "model.safetensors.index.json");  // of an older, sharded model: it would be read first
  const DType written = dtypes.empty() ? DType::f32 : dtypes[order.back()];
  nlohmann::json config = *description.config;
  config.erase("quantization_config");  // nothing is, as written
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const TensorView& tensor) { return tensor.name == kRewardHead; })) {
    describe_reward_model(config);
  }
  config["torch_dtype"] = written == DType::bf16 ? "bfloat16" : written == DType::f16 ? "float16" : "float32";
  write_text(output / "config.json", config.dump(2) + "\n");
  const nlohmann::json generation = generation_config(description);
  if (!generation.empty()) write_text(output / "generation_config.json", generation.dump(2) + "\n");
  copy_tokenizer(output, description);
}

}  // namespace r1
