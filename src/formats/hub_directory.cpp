#include "formats/hub_directory.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/bitsandbytes.h"
#include "formats/json_file.h"

namespace r1 {
namespace {

constexpr int64_t kScaleBlock = 128;

std::optional<std::string> read_if_present(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  return read_text_file(path);
}

std::optional<std::string> template_of(const std::filesystem::path& config_path, const std::string& text) {
  const nlohmann::json config = parse_json(text, config_path.string());
  if (!config.is_object() || !config.contains("chat_template") || config["chat_template"].is_null()) {
    return std::nullopt;
  }
  const nlohmann::json& value = config["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    for (const auto& entry : value) {
      if (entry.is_object() && entry.value("name", nlohmann::json()) == "default" &&
          entry.contains("template") && entry["template"].is_string()) {
        return entry["template"].get<std::string>();
      }
    }
  }
  throw_error(ErrorKind::bad_file,
              "{}: chat_template: expected a string or a list with an entry 'default', found {}",
              config_path.string(), short_json(value));
}

bool has_quantisation(const nlohmann::json& config) {
  const auto found = config.find("quantization_config");
  return found != config.end() && !found->is_null();
}

/// True for bitsandbytes.
bool check_quantisation(const std::string& name, const nlohmann::json& config) {
  if (!has_quantisation(config)) return false;
  const nlohmann::json& value = config["quantization_config"];
  if (value.is_object() && value.contains("group_size") && !value.contains("quant_method")) {
    throw_error(ErrorKind::unsupported,
                "{}: quantization_config: MLX quantisation is not supported: take the unquantised model",
                name);
  }
  const auto method = value.is_object() ? value.value("quant_method", nlohmann::json()) : nlohmann::json();
  if (value.is_object() && is_bitsandbytes(name, value)) return true;
  if (method != "fp8") {
    throw_error(ErrorKind::unsupported,
                "{}: quantization_config.quant_method: expected \"fp8\" or \"bitsandbytes\", found {}", name,
                short_json(method));
  }
  const auto block = value.value("weight_block_size", nlohmann::json());
  if (block != nlohmann::json({kScaleBlock, kScaleBlock})) {
    throw_error(ErrorKind::unsupported,
                "{}: quantization_config.weight_block_size: expected [{}, {}], found {}", name, kScaleBlock,
                kScaleBlock, short_json(block));
  }
  return false;
}

void pair_scales(const std::string& name, const nlohmann::json& config, SafetensorsFile& weights) {
  for (const TensorView& tensor : weights.tensors()) {
    if (tensor.dtype != DType::f8_e4m3) continue;
    if (!has_quantisation(config)) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}' is FP8, but config.json has no quantization_config",
                  name, tensor.name);
    }
    const std::string scale_name = tensor.name + "_scale_inv";
    const TensorView* scales = weights.find(scale_name);
    if (scales == nullptr || tensor.shape.size() != 2) {
      throw_error(ErrorKind::bad_file,
                  "{}: tensor '{}' is FP8: expected two dimensions and a tensor '{}', found {}", name,
                  tensor.name, scale_name,
                  scales == nullptr ? "no such tensor" : fmt::format("{} dimensions", tensor.shape.size()));
    }
    const std::vector<int64_t> expected = {(tensor.shape[0] + kScaleBlock - 1) / kScaleBlock,
                                           (tensor.shape[1] + kScaleBlock - 1) / kScaleBlock};
    if (scales->dtype != DType::f32 || scales->shape != expected) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected F32 of shape [{}], found {} of shape [{}]",
                  name, scale_name, fmt::join(expected, ", "), info(scales->dtype).name,
                  fmt::join(scales->shape, ", "));
    }
    weights.set_block_scales(tensor.name, reinterpret_cast<const float*>(scales->data));
  }
}

SafetensorsFile open_weights(const std::filesystem::path& path, std::vector<std::string>& remarks) {
  const auto index = path / "model.safetensors.index.json";
  const auto single = path / "model.safetensors";
  if (std::filesystem::exists(single)) {
    if (std::filesystem::exists(index)) {
      remarks.push_back(
          fmt::format("{}: model.safetensors is read; model.safetensors.index.json and the files "
                      "that it names are not",
                      path.string()));
    }
    return SafetensorsFile::open(single);
  }
  if (std::filesystem::exists(index)) return SafetensorsFile::open_index(index);
  throw_error(ErrorKind::bad_file,
              "{}: expected model.safetensors or model.safetensors.index.json, found neither", path.string());
}

/// Files saved from a model's body alone lack "model." in front of its tensors' names.
void complete_names(SafetensorsFile& weights) {
  if (weights.find("embed_tokens.weight") == nullptr ||
      weights.find("model.embed_tokens.weight") != nullptr) {
    return;
  }
  std::vector<TensorView> tensors(weights.tensors().begin(), weights.tensors().end());
  for (TensorView& tensor : tensors) {
    const std::string_view name = tensor.name;
    if (name.starts_with("embed_tokens.") || name.starts_with("layers.") || name.starts_with("norm."))
      tensor.name.insert(0, "model.");
  }
  weights.replace(std::move(tensors), {});
}

}  // namespace

std::optional<std::string> read_chat_template(const std::filesystem::path& directory) {
  if (auto text = read_if_present(directory / "chat_template.jinja")) return text;
  const auto config_path = directory / "tokenizer_config.json";
  const auto config = read_if_present(config_path);
  return config ? template_of(config_path, *config) : std::nullopt;
}

HubDirectory HubDirectory::open(const std::filesystem::path& path) {
  const auto config_path = path / "config.json";
  if (!std::filesystem::exists(config_path)) {
    throw_error(ErrorKind::bad_file, "{}: no model directory: expected a config.json in it", path.string());
  }
  HubTexts texts = HubTexts::open(path);
  const bool bitsandbytes = check_quantisation(config_path.string(), *texts.config);
  std::vector<std::string> remarks;
  SafetensorsFile weights = open_weights(path, remarks);
  complete_names(weights);
  HubDirectory hub{std::move(texts), std::move(weights), std::move(remarks)};
  if (bitsandbytes) unpack_bitsandbytes(path.string(), hub.weights);
  pair_scales(path.string(), *hub.config, hub.weights);
  return hub;
}

HubTexts HubTexts::open(const std::filesystem::path& path) {
  HubTexts texts{path, nlohmann::json::object(), {}, {}, {}, {}};
  const auto read_object = [&](const char* name) -> std::optional<nlohmann::json> {
    if (!std::filesystem::exists(path / name)) return std::nullopt;
    nlohmann::json value = read_json(path / name);
    if (!value.is_object())
      throw_error(ErrorKind::bad_file, "{}: expected a JSON object", (path / name).string());
    return value;
  };
  if (auto config = read_object("config.json")) texts.config = std::move(*config);
  if (auto config = read_object("generation_config.json")) texts.generation_config = std::move(*config);
  texts.tokenizer_json = read_if_present(path / "tokenizer.json");
  texts.tokenizer_config = read_if_present(path / "tokenizer_config.json");
  texts.chat_template = read_chat_template(path);
  return texts;
}

std::vector<std::filesystem::path> HubDirectory::files() const {
  std::vector<std::filesystem::path> result = weights.paths();
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                           "chat_template.jinja", "model.safetensors.index.json"}) {
    if (std::filesystem::exists(path / name)) result.push_back(path / name);
  }
  return result;
}

}  // namespace r1
