#include "train/low_rank.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "base_model.model.";

// Linear layers of a block: the last parts of their hub names, and GGUF's names.
const std::map<std::string, std::string>& gguf_modules() {
  static const std::map<std::string, std::string> kModules = {
      {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},
      {"attn_output", "self_attn.o_proj"},
      {"ffn_gate", "mlp.gate_proj"},
      {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
      // Latent attention; kv_b_proj is never run as a layer, and experts see rows of many sequences.
      {"attn_q_a", "self_attn.q_a_proj"},
      {"attn_q_b", "self_attn.q_b_proj"},
      {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
      {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
      {"ffn_down_shexp", "mlp.shared_experts.down_proj"}};
  return kModules;
}

// The hub name of a tensor that an adapter may add to; empty for any other.
std::string module_of(const ModelFile& file, const TensorView& tensor) {
  constexpr std::string_view kWeight = ".weight";
  if (tensor.shape.size() != 2 || !tensor.name.ends_with(kWeight)) return "";
  std::string name = tensor.name.substr(0, tensor.name.size() - kWeight.size());
  if (file.gguf() != nullptr) {
    if (!name.starts_with("blk.")) return "";
    const size_t dot = name.find('.', 4);
    const auto found = gguf_modules().find(name.substr(dot + 1));
    if (found == gguf_modules().end()) return "";
    return "model.layers." + name.substr(4, dot - 4) + "." + found->second;
  }
  for (const auto& [gguf, hub] : gguf_modules()) {
    if (name.starts_with("model.layers.") && name.ends_with("." + hub)) return name;
  }
  return "";
}

std::string last_part(const std::string& name) {
  return name.substr(name.rfind('.') + 1);
}

// GGUF's llama files hold the rows of queries and keys in another order than the hub's.
void refuse_permuted(const ModelFile& file, const std::string& module) {
  const GgufFile* gguf = file.gguf();
  if (gguf == nullptr || gguf->require_string("general.architecture") != "llama") return;
  const std::string last = last_part(module);
  if (last == "q_proj" || last == "k_proj") {
    throw_error(ErrorKind::unsupported,
                "{}: adapters on {} of a llama model in GGUF form are not supported: use the hub directory",
                file.path().string(), last);
  }
}

void copy_values(const TensorView& from, Parameter& to) {
  const size_t bytes = row_bytes(from.dtype, from.columns());
  for (int64_t row = 0; row < from.rows(); ++row) {
    dequantise_row(from.dtype, from.data + static_cast<size_t>(row) * bytes,
                   {to.values + row * from.columns(), static_cast<size_t>(from.columns())});
  }
}

}  // namespace

double LowRankAdapter::scale() const {
  const auto rank = static_cast<double>(options_.rank);
  return options_.alpha / (options_.rank_stabilised ? std::sqrt(rank) : rank);
}

void LowRankAdapter::add_module(const ModelFile& file, const TensorView& tensor, const std::string& name) {
  refuse_permuted(file, name);
  Module own{name, tensor.name, tensor.shape[0], tensor.shape[1], 0, 0};
  own.a = parameters_.all().size();
  parameters_.add(name + ".lora_A.weight", {options_.rank, own.inputs});
  own.b = parameters_.all().size();
  parameters_.add(name + ".lora_B.weight", {own.outputs, options_.rank}).rate_factor = options_.plus_ratio;
  modules_.push_back(std::move(own));
}

void LowRankAdapter::bind(const ModelFile& file) {
  for (const Module& own : modules_) {
    const TensorView* tensor = file.find(own.tensor);
    kernels::WeightMatrix weight;
    weight.data = tensor->data;
    adapter_.add(weight, {parameters_.all()[own.a].values, parameters_.all()[own.b].values, options_.rank,
                          static_cast<float>(scale())});
  }
}

std::unique_ptr<LowRankAdapter> LowRankAdapter::create(const ModelFile& file, const LowRankOptions& options) {
  if (options.rank < 1 || !(options.alpha > 0)) {
    throw_error(ErrorKind::invalid_argument,
                "LoRA: expected a rank of at least 1 and a positive alpha, found {} and {}", options.rank,
                options.alpha);
  }
  std::unique_ptr<LowRankAdapter> own(new LowRankAdapter);
  own->options_ = options;
  std::set<std::string> missing(options.targets.begin(), options.targets.end());
  std::set<std::string> known;
  for (const TensorView& tensor : file.tensors()) {
    const std::string module = module_of(file, tensor);
    if (module.empty()) continue;
    const std::string last = last_part(module);
    known.insert(last);
    const bool wanted = options.targets.empty() || std::find(options.targets.begin(), options.targets.end(),
                                                             last) != options.targets.end();
    if (!wanted) continue;
    missing.erase(last);
    own->add_module(file, tensor, module);
  }
  if (!missing.empty() || own->modules_.empty()) {
    throw_error(ErrorKind::invalid_argument, "LoRA: target '{}': the model has none; known: {}",
                missing.empty() ? "" : *missing.begin(), fmt::join(known, ", "));
  }
  for (const Module& module : own->modules_) {
    Parameter& a = own->parameters_.all()[module.a];
    const double bound = 1 / std::sqrt(static_cast<double>(module.inputs));
    uint64_t stream = mix_bits(options.seed);
    for (const char c : a.name) stream = mix_bits(stream ^ static_cast<unsigned char>(c));
    for (int64_t i = 0; i < a.count; ++i) {
      a.values[i] = static_cast<float>(bound * (2 * random_uniform(stream, static_cast<uint64_t>(i)) - 1));
    }
  }
  own->bind(file);
  return own;
}

std::unique_ptr<LowRankAdapter> LowRankAdapter::open(const fs::path& directory, const ModelFile& file,
                                                     double plus_ratio) {
  const fs::path config_path = directory / "adapter_config.json";
  const nlohmann::json config = read_json(config_path);
  auto require = [&](const char* key) -> const nlohmann::json& {
    const auto found = config.find(key);
    if (found == config.end())
      throw_error(ErrorKind::bad_file, "{}: '{}' is missing", config_path.string(), key);
    return *found;
  };
  // What would change the arithmetic, and is not done here.
  const std::map<std::string, nlohmann::json> harmless = {
      {"bias", "none"},          {"use_dora", false},
      {"fan_in_fan_out", false}, {"modules_to_save", {}},
      {"rank_pattern", {}},      {"alpha_pattern", {}},
      {"lora_bias", false},      {"trainable_token_indices", {}},
      {"layer_replication", {}}};
  for (const auto& [key, value] : harmless) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || *found == value) continue;
    if (found->is_structured() && found->empty()) continue;
    throw_error(ErrorKind::unsupported, "{}: {}: {} is not supported", config_path.string(), key,
                short_json(*found));
  }
  std::unique_ptr<LowRankAdapter> own(new LowRankAdapter);
  try {
    if (require("peft_type").get<std::string>() != "LORA") {
      throw_error(ErrorKind::unsupported, "{}: peft_type: expected LORA, found {}", config_path.string(),
                  short_json(require("peft_type")));
    }
    own->options_.rank = require("r").get<int64_t>();
    own->options_.alpha = require("lora_alpha").get<double>();
    own->options_.rank_stabilised = config.value("use_rslora", false);
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", config_path.string(), error.what());
  }
  own->options_.plus_ratio = plus_ratio;
  if (own->options_.rank < 1 || own->options_.rank > 65536) {
    throw_error(ErrorKind::bad_file, "{}: r: expected 1 to 65536, found {}", config_path.string(),
                own->options_.rank);
  }

  const fs::path weights_path = directory / "adapter_model.safetensors";
  const SafetensorsFile weights = SafetensorsFile::open(weights_path);
  std::set<std::string> left;
  for (const TensorView& tensor : weights.tensors()) left.insert(tensor.name);
  std::set<std::string> targets;
  for (const TensorView& tensor : file.tensors()) {
    const std::string module = module_of(file, tensor);
    if (module.empty()) continue;
    const std::string key = std::string(kPrefix) + module;
    const TensorView* a = weights.find(key + ".lora_A.weight");
    const TensorView* b = weights.find(key + ".lora_B.weight");
    if (a == nullptr && b == nullptr) continue;
    const std::vector<int64_t> a_shape{own->options_.rank, tensor.shape[1]};
    const std::vector<int64_t> b_shape{tensor.shape[0], own->options_.rank};
    for (const auto& [found, shape, part] :
         {std::tuple{a, a_shape, "lora_A"}, std::tuple{b, b_shape, "lora_B"}}) {
      if (found == nullptr || found->shape != shape) {
        throw_error(ErrorKind::bad_file, "{}: {}.{}.weight: expected {{{}}}, found {}", weights_path.string(),
                    key, part, fmt::join(shape, ", "),
                    found == nullptr ? "none" : fmt::format("{{{}}}", fmt::join(found->shape, ", ")));
      }
    }
    own->add_module(file, tensor, module);
    copy_values(*a, own->parameters_.all()[own->modules_.back().a]);
    copy_values(*b, own->parameters_.all()[own->modules_.back().b]);
    left.erase(a->name);
    left.erase(b->name);
    targets.insert(last_part(module));
  }
  if (!left.empty()) {
    throw_error(ErrorKind::unsupported,
                "{}: tensor '{}' adds to nothing that this model has or adapters are known for ({} such)",
                weights_path.string(), *left.begin(), left.size());
  }
  if (own->modules_.empty()) throw_error(ErrorKind::bad_file, "{}: no tensors", weights_path.string());
  own->options_.targets.assign(targets.begin(), targets.end());
  own->bind(file);
  return own;
}

void LowRankAdapter::write(const fs::path& directory, const std::string& base_name) const {
  fs::create_directories(directory);
  SafetensorsWriter writer(directory / "adapter_model.safetensors");
  writer.set_metadata("format", "pt");
  for (const Parameter& own : parameters_.all()) {
    writer.declare_tensor(std::string(kPrefix) + own.name, DType::f32, own.shape);
  }
  for (const Parameter& own : parameters_.all()) {
    writer.append(std::as_bytes(std::span<const float>(own.values, static_cast<size_t>(own.count))));
  }
  writer.finish();
  std::set<std::string> targets;
  for (const Module& module : modules_) targets.insert(last_part(module.name));
  const nlohmann::json config = {{"peft_type", "LORA"},
                                 {"task_type", "CAUSAL_LM"},
                                 {"base_model_name_or_path", base_name},
                                 {"r", options_.rank},
                                 {"lora_alpha", options_.alpha},
                                 {"lora_dropout", 0.0},
                                 {"target_modules", targets},
                                 {"use_rslora", options_.rank_stabilised},
                                 {"use_dora", false},
                                 {"bias", "none"},
                                 {"fan_in_fan_out", false},
                                 {"modules_to_save", nullptr},
                                 {"init_lora_weights", true},
                                 {"inference_mode", true}};
  OutputFile file(directory / "adapter_config.json");
  file.write(config.dump(2) + "\n");
  file.finish();
}

std::vector<TensorView> LowRankAdapter::merged(const ModelFile& file, ParameterStore& store) const {
  std::vector<TensorView> tensors(file.tensors().begin(), file.tensors().end());
  for (TensorView& tensor : tensors) {
    const auto module = std::find_if(modules_.begin(), modules_.end(),
                                     [&](const Module& own) { return own.tensor == tensor.name; });
    if (module == modules_.end()) continue;
    Parameter& sum = store.add_copy(tensor);
    const float* a = parameters_.all()[module->a].values;
    const float* b = parameters_.all()[module->b].values;
    std::vector<double> row(static_cast<size_t>(module->inputs));
    for (int64_t o = 0; o < module->outputs; ++o) {
      std::fill(row.begin(), row.end(), 0.0);
      for (int64_t k = 0; k < options_.rank; ++k) {
        const double factor = scale() * b[o * options_.rank + k];
        for (int64_t i = 0; i < module->inputs; ++i) row[i] += factor * a[k * module->inputs + i];
      }
      float* out = sum.values + o * module->inputs;
      for (int64_t i = 0; i < module->inputs; ++i) out[i] = static_cast<float>(out[i] + row[i]);
    }
    tensor.dtype = DType::f32;
    tensor.data = reinterpret_cast<const std::byte*>(sum.values);
    tensor.bytes = static_cast<size_t>(sum.count) * sizeof(float);
    tensor.block_scales = nullptr;
  }
  return tensors;
}

}  // namespace r1
