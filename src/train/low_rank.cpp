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
#include "nn/product.h"
#include "tensor/codec.h"
#include "train/truncated_svd.h"

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
  Module own;
  own.name = name;
  own.tensor = tensor.name;
  own.outputs = tensor.shape[0];
  own.inputs = tensor.shape[1];
  own.base = tensor;
  own.a = parameters_.all().size();
  parameters_.add(name + ".lora_A.weight", {options_.rank, own.inputs});
  own.b = parameters_.all().size();
  parameters_.add(name + ".lora_B.weight", {own.outputs, options_.rank}).rate_factor = options_.plus_ratio;
  if (options_.dora) {
    own.magnitude = parameters_.all().size();
    parameters_.add(name + ".lora_magnitude_vector", {own.outputs});
    own.norms.resize(static_cast<size_t>(own.outputs));
  }
  modules_.push_back(std::move(own));
}

void LowRankAdapter::bind() {
  const auto factor = static_cast<float>(scale());
  for (size_t i = 0; i < modules_.size(); ++i) {
    const Module& own = modules_[i];
    kernels::WeightMatrix weight;
    weight.data = own.base.data;
    LowRankTerm term{parameters_.all()[own.a].values, parameters_.all()[own.b].values, options_.rank, factor};
    term.number = i;
    if (options_.dora) {
      term.magnitude = parameters_.all()[own.magnitude].values;
      term.norms = own.norms.data();
    }
    adapter_.add(weight, term);
    if (own.first_a.empty()) continue;
    LowRankTerm first{own.first_a.data(), own.first_b.data(), options_.rank, -factor};
    first.number = i;  // the same dropout, so that both cancel out at the beginning
    adapter_.add(weight, first);
  }
}

std::vector<float> LowRankAdapter::decoded(const Module& module) const {
  std::vector<float> values(static_cast<size_t>(module.outputs * module.inputs));
  const size_t bytes = row_bytes(module.base.dtype, module.inputs);
  for (int64_t row = 0; row < module.outputs; ++row) {
    dequantise_matrix_row(module.base.dtype, module.base.data + static_cast<size_t>(row) * bytes,
                          module.base.block_scales, row, module.inputs, 0,
                          {values.data() + row * module.inputs, static_cast<size_t>(module.inputs)});
  }
  return values;
}

void LowRankAdapter::refresh(Context& context) {
  if (!options_.dora) return;
  constexpr int64_t kRows = 128;  // expanded at once
  for (Module& own : modules_) {
    const float* a = parameters_.all()[own.a].values;
    const float* b = parameters_.all()[own.b].values;
    const size_t bytes = row_bytes(own.base.dtype, own.inputs);
    Arena::Scope scope(context.arena());
    float* rows = context.arena().allocate<float>(kRows * own.inputs);
    float* scaled = context.arena().allocate<float>(kRows * options_.rank);
    for (int64_t first = 0; first < own.outputs; first += kRows) {
      const int64_t count = std::min(kRows, own.outputs - first);
      context.parallel_for(count, true, [&](int64_t i, int) {
        const int64_t row = first + i;
        dequantise_matrix_row(own.base.dtype, own.base.data + static_cast<size_t>(row) * bytes,
                              own.base.block_scales, row, own.inputs, 0,
                              {rows + i * own.inputs, static_cast<size_t>(own.inputs)});
      });
      std::copy_n(b + first * options_.rank, count * options_.rank, scaled);
      context.kernels().training->scale(scaled, static_cast<float>(scale()), count * options_.rank);
      run_product(context,
                  {scaled, options_.rank, 1, a, own.inputs, 1, rows, own.inputs, options_.rank, true}, count,
                  own.inputs);
      context.parallel_for(count, true, [&](int64_t i, int) {
        const float* row = rows + i * own.inputs;
        // A row of zeros has no direction; its output is zero whatever it is divided by.
        const float norm = std::sqrt(context.kernels().training->dot(row, row, own.inputs));
        own.norms[first + i] = norm > 0 ? norm : 1.0F;
      });
    }
  }
}

void LowRankAdapter::begin_as_principal_part(Context& context, Module& module) {
  const int64_t rank = options_.rank;
  const TruncatedSvd svd = truncated_svd(context, decoded(module).data(), module.outputs, module.inputs, rank,
                                         mix_bits(options_.seed));
  float* a = parameters_.all()[module.a].values;
  float* b = parameters_.all()[module.b].values;
  for (int64_t k = 0; k < rank; ++k) {
    const auto root = static_cast<float>(std::sqrt(svd.values[k] / scale()));
    for (int64_t i = 0; i < module.inputs; ++i)
      a[k * module.inputs + i] = root * svd.right[k * module.inputs + i];
    for (int64_t o = 0; o < module.outputs; ++o) b[o * rank + k] = root * svd.left[k * module.outputs + o];
  }
  module.first_a.assign(a, a + rank * module.inputs);
  module.first_b.assign(b, b + module.outputs * rank);
}

std::unique_ptr<LowRankAdapter> LowRankAdapter::create(const ModelFile& file, const LowRankOptions& options) {
  if (options.rank < 1 || !(options.alpha > 0)) {
    throw_error(ErrorKind::invalid_argument,
                "LoRA: expected a rank of at least 1 and a positive alpha, found {} and {}", options.rank,
                options.alpha);
  }
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    throw_error(ErrorKind::invalid_argument, "LoRA: dropout: expected 0 to below 1, found {}",
                options.dropout);
  }
  if (options.dora && (options.pissa || options.dropout > 0)) {
    throw_error(ErrorKind::unsupported, "LoRA: DoRA together with {} is not supported",
                options.pissa ? "PiSSA" : "dropout");
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
    if (options.pissa && options.rank > std::min(tensor.shape[0], tensor.shape[1])) {
      throw_error(ErrorKind::invalid_argument, "PiSSA: {}: expected a rank of at most {}, found {}", module,
                  std::min(tensor.shape[0], tensor.shape[1]), options.rank);
    }
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
  if (options.pissa || options.dora) {
    ThreadPool pool;
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    for (Module& module : own->modules_) {
      if (options.pissa) own->begin_as_principal_part(context, module);
    }
    own->refresh(context);
    for (Module& module : own->modules_) {  // B is zero: the norms are those of W
      if (options.dora)
        std::copy(module.norms.begin(), module.norms.end(), own->parameters_.all()[module.magnitude].values);
    }
  }
  own->bind();
  return own;
}

std::unique_ptr<LowRankAdapter> LowRankAdapter::open(const fs::path& directory, const ModelFile& file,
                                                     double plus_ratio) {
  const fs::path config_path = directory / "adapter_config.json";
  const nlohmann::json config = read_json(config_path);
  if (!config.is_object())
    throw_error(ErrorKind::bad_file, "{}: expected an object, found {}", config_path.string(),
                config.type_name());
  auto require = [&](const char* key) -> const nlohmann::json& {
    const auto found = config.find(key);
    if (found == config.end())
      throw_error(ErrorKind::bad_file, "{}: '{}' is missing", config_path.string(), key);
    return *found;
  };
  // What would change the arithmetic, and is not done here.
  const std::map<std::string, nlohmann::json> harmless = {
      {"bias", "none"},     {"fan_in_fan_out", false},       {"rank_pattern", {}},     {"alpha_pattern", {}},
      {"lora_bias", false}, {"trainable_token_indices", {}}, {"layer_replication", {}}};
  for (const auto& [key, value] : harmless) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || *found == value) continue;
    if (found->is_structured() && found->empty()) continue;
    throw_error(ErrorKind::unsupported, "{}: {}: {} is not supported", config_path.string(), key,
                short_json(*found));
  }
  const nlohmann::json kept = config.value("modules_to_save", nlohmann::json());
  if (!kept.is_null() && !kept.empty() && kept != nlohmann::json({"score"})) {
    throw_error(ErrorKind::unsupported, "{}: modules_to_save: {} is not supported; known: [\"score\"]",
                config_path.string(), short_json(kept));
  }
  // PiSSA, OLoRA and the like change the base, which has to be saved with them unless they were converted.
  const nlohmann::json begun = config.value("init_lora_weights", nlohmann::json(true));
  if (begun.is_string() && begun != "gaussian" && begun != "eva") {
    throw_error(ErrorKind::unsupported,
                "{}: init_lora_weights: {} belongs to a changed base: save it converted to "
                "LoRA (PEFT's path_initial_model_for_weight_conversion)",
                config_path.string(), short_json(begun));
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
    own->options_.dora = config.value("use_dora", false);
    own->options_.dropout = config.value("lora_dropout", 0.0);
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
    const TensorView* magnitude = weights.find(key + ".lora_magnitude_vector");
    if (own->options_.dora && (magnitude == nullptr || magnitude->elements() != tensor.shape[0])) {
      throw_error(ErrorKind::bad_file, "{}: {}.lora_magnitude_vector: expected {} values, found {}",
                  weights_path.string(), key, tensor.shape[0],
                  magnitude == nullptr ? 0 : magnitude->elements());
    }
    own->add_module(file, tensor, module);
    if (own->options_.dora) {
      copy_values(*magnitude, own->parameters_.all()[own->modules_.back().magnitude]);
      left.erase(magnitude->name);
    }
    copy_values(*a, own->parameters_.all()[own->modules_.back().a]);
    copy_values(*b, own->parameters_.all()[own->modules_.back().b]);
    left.erase(a->name);
    left.erase(b->name);
    targets.insert(last_part(module));
  }
  if (const TensorView* score = weights.find(std::string(kPrefix) + kRewardHead)) {
    if (score->shape.size() != 2 || score->shape[0] != 1) {
      throw_error(ErrorKind::unsupported, "{}: {}: expected one row (a reward), found shape {{{}}}",
                  weights_path.string(), score->name, fmt::join(score->shape, ", "));
    }
    copy_values(*score, own->parameters_.add(kRewardHead, score->shape));
    left.erase(score->name);
  }
  if (!left.empty()) {
    throw_error(ErrorKind::unsupported,
                "{}: tensor '{}' adds to nothing that this model has or adapters are known for ({} such)",
                weights_path.string(), *left.begin(), left.size());
  }
  if (own->modules_.empty()) throw_error(ErrorKind::bad_file, "{}: no tensors", weights_path.string());
  own->options_.targets.assign(targets.begin(), targets.end());
  own->bind();
  if (own->options_.dora) {
    ThreadPool pool;
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    own->refresh(context);
  }
  return own;
}

void LowRankAdapter::write(const fs::path& directory, const std::string& base_name) const {
  fs::create_directories(directory);
  // With PiSSA as an adapter of twice the rank: [A; A as it began], [B, -(B as it began)].
  const bool twice = options_.pissa;
  const int64_t rank = twice ? 2 * options_.rank : options_.rank;
  double alpha = options_.alpha;
  if (twice) alpha *= options_.rank_stabilised ? std::sqrt(2.0) : 2.0;
  SafetensorsWriter writer(directory / "adapter_model.safetensors");
  writer.set_metadata("format", "pt");
  bool has_score = false;
  for (const Parameter& own : parameters_.all()) {
    std::vector<int64_t> shape = own.shape;
    if (twice && own.name.ends_with(".lora_A.weight")) shape[0] = rank;
    if (twice && own.name.ends_with(".lora_B.weight")) shape[1] = rank;
    has_score = has_score || own.name == kRewardHead;
    writer.declare_tensor(std::string(kPrefix) + own.name, DType::f32, shape);
  }
  for (const Parameter& own : parameters_.all()) {
    const std::span<const float> values(own.values, static_cast<size_t>(own.count));
    const auto module = std::find_if(modules_.begin(), modules_.end(), [&](const Module& one) {
      return own.name == one.name + ".lora_A.weight" || own.name == one.name + ".lora_B.weight";
    });
    if (!twice || module == modules_.end()) {
      writer.append(std::as_bytes(values));
    } else if (own.name.ends_with(".lora_A.weight")) {
      writer.append(std::as_bytes(values));
      writer.append(std::as_bytes(std::span<const float>(module->first_a)));
    } else {
      std::vector<float> row(static_cast<size_t>(rank));
      for (int64_t o = 0; o < module->outputs; ++o) {
        for (int64_t k = 0; k < options_.rank; ++k) {
          row[k] = own.values[o * options_.rank + k];
          row[options_.rank + k] = -module->first_b[o * options_.rank + k];
        }
        writer.append(std::as_bytes(std::span<const float>(row)));
      }
    }
  }
  writer.finish();
  std::set<std::string> targets;
  for (const Module& module : modules_) targets.insert(last_part(module.name));
  nlohmann::json config = {{"peft_type", "LORA"},
                           {"task_type", has_score ? "SEQ_CLS" : "CAUSAL_LM"},
                           {"base_model_name_or_path", base_name},
                           {"r", rank},
                           {"lora_alpha", alpha},
                           {"lora_dropout", options_.dropout},
                           {"target_modules", targets},
                           {"use_rslora", options_.rank_stabilised},
                           {"use_dora", options_.dora},
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
    auto add_outer = [&](double sign, int64_t o, const float* own_a, const float* own_b) {
      for (int64_t k = 0; k < options_.rank; ++k) {
        const double factor = sign * scale() * own_b[o * options_.rank + k];
        for (int64_t i = 0; i < module->inputs; ++i) row[i] += factor * own_a[k * module->inputs + i];
      }
    };
    for (int64_t o = 0; o < module->outputs; ++o) {
      float* out = sum.values + o * module->inputs;
      std::copy_n(out, module->inputs, row.begin());
      add_outer(1, o, a, b);
      if (options_.pissa) add_outer(-1, o, module->first_a.data(), module->first_b.data());
      double factor = 1;
      if (options_.dora) {
        double squares = 0;
        for (const double value : row) squares += value * value;
        factor = squares > 0 ? parameters_.all()[module->magnitude].values[o] / std::sqrt(squares) : 1;
      }
      for (int64_t i = 0; i < module->inputs; ++i) out[i] = static_cast<float>(factor * row[i]);
    }
    tensor.dtype = DType::f32;
    tensor.data = reinterpret_cast<const std::byte*>(sum.values);
    tensor.bytes = static_cast<size_t>(sum.count) * sizeof(float);
    tensor.block_scales = nullptr;
  }
  put_reward_head(parameters_, tensors);
  return tensors;
}

}  // namespace r1
