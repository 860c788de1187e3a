#include "train/new_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "base/random.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

uint64_t hash_of(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

void fill_normal(Parameter& parameter, uint64_t seed, double deviation) {
  const uint64_t stream = mix_bits(seed) ^ hash_of(parameter.name);
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

nlohmann::json new_model_config(const TrainingOptions& options, const Tokenizer& tokenizer) {
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

void add_new_model(const nlohmann::json& config, const TrainingOptions& options, ParameterStore& store) {
  const int64_t hidden = options.hidden;
  const int64_t key = hidden / options.heads * options.key_value_heads;
  const int64_t vocabulary = config["vocab_size"];
  const double inner = options.initial_deviation / std::sqrt(2.0 * static_cast<double>(options.layers));
  auto matrix = [&](const std::string& name, int64_t outputs, int64_t inputs, double deviation) {
    fill_normal(store.add(name, {outputs, inputs}), options.seed, deviation);
  };
  auto constant = [&](const std::string& name, int64_t count, float value) {
    Parameter& own = store.add(name, {count});
    std::fill_n(own.values, own.count, value);
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

}  // namespace

void write_hub_directory(const fs::path& output, nlohmann::json config, const fs::path& tokenizer_folder,
                         const std::vector<TensorView>& tensors, const std::string& type,
                         const ModelFile* types) {
  fs::create_directories(output);
  std::vector<DType> dtypes;
  for (const TensorView& tensor : tensors) {
    DType dtype = DType::f32;
    if (type == "auto") {
      const TensorView* own = types != nullptr ? types->find(tensor.name) : nullptr;
      if (own != nullptr && (own->dtype == DType::bf16 || own->dtype == DType::f16)) dtype = own->dtype;
      if (own != nullptr && own->dtype == DType::nf4) dtype = DType::bf16;
    } else if (type == "bf16" || type == "f16") {
      dtype = *dtype_from_name(type);
    } else if (type != "f32") {
      throw_error(ErrorKind::invalid_argument, "save_type: expected auto, f32, bf16 or f16, found '{}'",
                  type);
    }
    dtypes.push_back(dtype);
  }
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
  const DType written = dtypes.empty() ? DType::f32 : dtypes[order.back()];
  config.erase("quantization_config");  // nothing is, as written
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const TensorView& tensor) { return tensor.name == kRewardHead; })) {
    describe_reward_model(config);
  }
  config["torch_dtype"] = written == DType::bf16 ? "bfloat16" : written == DType::f16 ? "float16" : "float32";
  OutputFile file(output / "config.json");
  file.write(config.dump(2) + "\n");
  file.finish();
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                           "generation_config.json", "special_tokens_map.json"}) {
    const fs::path from = tokenizer_folder / name;
    if (fs::exists(from) && !fs::equivalent(tokenizer_folder, output)) copy_one(from, output / name);
  }
}

}  // namespace r1
