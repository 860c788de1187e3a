#include "model/peft_files.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"
#include "model/adapter_modules.h"

namespace r1 {

namespace fs = std::filesystem;

double AdapterSettings::scale() const {
  const auto size = static_cast<double>(rank);
  return alpha / (rank_stabilised ? std::sqrt(size) : size);
}

namespace {

/// Whether a rank_pattern or alpha_pattern gives every module what all have anyway.
bool changes_nothing(const nlohmann::json& pattern, const nlohmann::json& usual) {
  return pattern.is_object() &&
         std::ranges::all_of(pattern, [&](const nlohmann::json& value) { return value == usual; });
}

}  // namespace

AdapterSettings read_peft_settings(const fs::path& directory) {
  const fs::path path = directory / "adapter_config.json";
  const nlohmann::json config = read_json(path);
  if (!config.is_object())
    throw_error(ErrorKind::bad_file, "{}: expected an object, found {}", path.string(), config.type_name());
  auto require = [&](const char* key) -> const nlohmann::json& {
    const auto found = config.find(key);
    if (found == config.end()) throw_error(ErrorKind::bad_file, "{}: '{}' is missing", path.string(), key);
    return *found;
  };
  // What would change the arithmetic, and is not done here.
  const std::map<std::string, nlohmann::json> harmless = {
      {"bias", "none"},          {"fan_in_fan_out", false},      {"rank_pattern", {}},
      {"alpha_pattern", {}},     {"lora_bias", false},           {"trainable_token_indices", {}},
      {"layer_replication", {}}, {"alora_invocation_tokens", {}}};
  for (const auto& [key, value] : harmless) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || *found == value) continue;
    if (found->is_structured() && found->empty()) continue;
    if (key == "rank_pattern" && changes_nothing(*found, require("r"))) continue;
    if (key == "alpha_pattern" && changes_nothing(*found, require("lora_alpha"))) continue;
    throw_error(ErrorKind::unsupported, "{}: {}: {} is not supported", path.string(), key,
                short_json(*found));
  }
  const nlohmann::json kept = config.value("modules_to_save", nlohmann::json());
  if (!kept.is_null() && !kept.empty() && kept != nlohmann::json({"score"})) {
    throw_error(ErrorKind::unsupported, "{}: modules_to_save: {} is not supported; known: [\"score\"]",
                path.string(), short_json(kept));
  }
  // PiSSA, OLoRA and the like change the base, which has to be saved with them unless they were converted.
  const nlohmann::json begun = config.value("init_lora_weights", nlohmann::json(true));
  if (begun.is_string() && begun != "gaussian" && begun != "eva" && begun != "orthogonal") {
    throw_error(ErrorKind::unsupported,
                "{}: init_lora_weights: {} belongs to a changed base: save it converted to "
                "LoRA (PEFT's path_initial_model_for_weight_conversion)",
                path.string(), short_json(begun));
  }
  AdapterSettings settings;
  try {
    if (require("peft_type").get<std::string>() != "LORA") {
      throw_error(ErrorKind::unsupported, "{}: peft_type: expected LORA, found {}", path.string(),
                  short_json(require("peft_type")));
    }
    settings.rank = require("r").get<int64_t>();
    settings.alpha = require("lora_alpha").get<double>();
    settings.rank_stabilised = config.value("use_rslora", false);
    settings.dora = config.value("use_dora", false);
    settings.dropout = config.value("lora_dropout", 0.0);
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", path.string(), error.what());
  }
  if (settings.rank < 1 || settings.rank > 65536) {
    throw_error(ErrorKind::bad_file, "{}: r: expected 1 to 65536, found {}", path.string(), settings.rank);
  }
  return settings;
}

void write_peft_files(const fs::path& directory, const std::string& base_name,
                      const AdapterSettings& settings, std::span<const AdapterTensor> tensors) {
  fs::create_directories(directory);
  SafetensorsWriter writer(directory / "adapter_model.safetensors");
  writer.set_metadata("format", "pt");
  bool has_score = false;
  for (const AdapterTensor& tensor : tensors) {
    has_score = has_score || tensor.name == kRewardHead;
    writer.declare_tensor(kPeftPrefix + tensor.name, DType::f32, tensor.shape);
  }
  for (const AdapterTensor& tensor : tensors) writer.append(std::as_bytes(tensor.values));
  writer.finish();
  nlohmann::json config = {{"peft_type", "LORA"},
                           {"task_type", has_score ? "SEQ_CLS" : "CAUSAL_LM"},
                           {"base_model_name_or_path", base_name},
                           {"r", settings.rank},
                           {"lora_alpha", settings.alpha},
                           {"lora_dropout", settings.dropout},
                           {"target_modules", settings.targets},
                           {"use_rslora", settings.rank_stabilised},
                           {"use_dora", settings.dora},
                           {"bias", "none"},
                           {"fan_in_fan_out", false},
                           {"modules_to_save", nullptr},
                           {"init_lora_weights", true},
                           {"inference_mode", true}};
  if (has_score) config["modules_to_save"] = {"score"};
  OutputFile file(directory / "adapter_config.json");
  file.write(config.dump(2) + "\n");
  file.finish();
}

}  // namespace r1
