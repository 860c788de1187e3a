#include "formats/synth.h"

#include <fmt/format.h>

#include <strings.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "formats/gguf_writer.h"
#include "formats/hub_plan.h"
#include "formats/quantise_policy.h"
#include "formats/random_blocks.h"
#include "formats/tokenizer_metadata.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

/// A shape of grouped-query attention and a gated feed-forward.
struct DenseShape {
  std::string_view name;
  std::string_view model_type;
  int hidden;
  int layers;
  int heads;
  int kv_heads;
  int inner;
  int vocabulary;
  double rope_theta;
  double epsilon;
  bool tied;
  int context;
  int head_columns = 0;    // 0: hidden / heads
  int llama3_factor = 0;   // of the rotation's scaling; 0: none
  int sliding_window = 0;  // 0: none
};

// From the published config.json files.
constexpr std::array<DenseShape, 14> kDenseShapes = {{
    {"R1-Distill-Qwen-1.5B", "qwen2", 1536, 28, 12, 2, 8960, 151936, 1e4, 1e-6, false, 131072},
    {"R1-Distill-Qwen-7B", "qwen2", 3584, 28, 28, 4, 18944, 152064, 1e4, 1e-6, false, 131072},
    {"R1-Distill-Qwen-14B", "qwen2", 5120, 48, 40, 8, 13824, 152064, 1e6, 1e-5, false, 131072},
    {"R1-Distill-Qwen-32B", "qwen2", 5120, 64, 40, 8, 27648, 152064, 1e6, 1e-5, false, 131072},
    {"R1-Distill-Llama-8B", "llama", 4096, 32, 32, 8, 14336, 128256, 5e5, 1e-5, false, 131072, 0, 8},
    {"R1-Distill-Llama-70B", "llama", 8192, 80, 64, 8, 28672, 128256, 5e5, 1e-5, false, 131072, 0, 8},
    {"Qwen2.5-3B-Instruct", "qwen2", 2048, 36, 16, 2, 11008, 151936, 1e6, 1e-6, true, 32768},
    {"R1-0528-Qwen3-8B", "qwen3", 4096, 36, 32, 8, 12288, 151936, 1e6, 1e-6, false, 131072, 128},
    {"Llama-3.2-3B-Instruct", "llama", 3072, 28, 24, 8, 8192, 128256, 5e5, 1e-5, true, 131072, 128, 32},
    {"Mistral-7B-v0.1", "mistral", 4096, 32, 32, 8, 14336, 32000, 1e4, 1e-5, false, 32768, 0, 0, 4096},
    {"tiny-qwen2", "qwen2", 256, 2, 4, 2, 512, 512, 1e4, 1e-6, false, 4096},
    {"tiny-qwen3", "qwen3", 256, 2, 4, 2, 512, 512, 1e6, 1e-6, false, 4096, 128},
    {"tiny-mistral", "mistral", 256, 2, 4, 2, 512, 512, 1e4, 1e-5, false, 4096, 0, 0, 64},
    {"tiny-llama", "llama", 256, 2, 4, 2, 512, 512, 5e5, 1e-5, false, 131072, 0, 8},
}};

struct DeepseekShape {
  std::string_view name;
  int hidden;
  int layers;
  int dense_layers;
  int heads;
  int inner;
  int expert_inner;
  int experts;
  int experts_used;
  int groups;
  int groups_used;
  int q_rank;
  int kv_rank;
  int nope;
  int rope;
  int value;
  int vocabulary;
};
constexpr std::array<DeepseekShape, 2> kDeepseekShapes = {{
    {"R1", 7168, 61, 3, 128, 18432, 2048, 256, 8, 8, 4, 1536, 512, 128, 64, 128, 129280},
    {"tiny-deepseek", 256, 3, 1, 4, 512, 256, 16, 4, 4, 2, 256, 256, 32, 32, 64, 512},
}};

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

nlohmann::json dense_config(const DenseShape& shape) {
  nlohmann::json config = {
      {"model_type", shape.model_type},     {"hidden_act", "silu"},
      {"hidden_size", shape.hidden},        {"num_hidden_layers", shape.layers},
      {"num_attention_heads", shape.heads}, {"num_key_value_heads", shape.kv_heads},
      {"intermediate_size", shape.inner},   {"vocab_size", shape.vocabulary},
      {"rope_theta", shape.rope_theta},     {"rms_norm_eps", shape.epsilon},
      {"tie_word_embeddings", shape.tied},  {"max_position_embeddings", shape.context},
  };
  if (shape.head_columns > 0) config["head_dim"] = shape.head_columns;
  if (shape.sliding_window > 0) config["sliding_window"] = shape.sliding_window;
  if (shape.llama3_factor > 0) {
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", shape.llama3_factor},
                              {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 8192}};
  }
  return config;
}

nlohmann::json deepseek_config(const DeepseekShape& shape) {
  return {
      {"architectures", {"DeepseekV3ForCausalLM"}},
      {"model_type", "deepseek_v3"},
      {"hidden_act", "silu"},
      {"hidden_size", shape.hidden},
      {"num_hidden_layers", shape.layers},
      {"first_k_dense_replace", shape.dense_layers},
      {"moe_layer_freq", 1},
      {"num_attention_heads", shape.heads},
      {"num_key_value_heads", shape.heads},
      {"intermediate_size", shape.inner},
      {"moe_intermediate_size", shape.expert_inner},
      {"n_routed_experts", shape.experts},
      {"n_shared_experts", 1},
      {"num_experts_per_tok", shape.experts_used},
      {"n_group", shape.groups},
      {"topk_group", shape.groups_used},
      {"routed_scaling_factor", 2.5},
      {"norm_topk_prob", true},
      {"scoring_func", "sigmoid"},
      {"topk_method", "noaux_tc"},
      {"q_lora_rank", shape.q_rank},
      {"kv_lora_rank", shape.kv_rank},
      {"qk_nope_head_dim", shape.nope},
      {"qk_rope_head_dim", shape.rope},
      {"v_head_dim", shape.value},
      {"vocab_size", shape.vocabulary},
      {"rope_theta", 10000},
      {"rope_scaling",
       {{"type", "yarn"},
        {"factor", 40},
        {"beta_fast", 32},
        {"beta_slow", 1},
        {"mscale", 1.0},
        {"mscale_all_dim", 1.0},
        {"original_max_position_embeddings", 4096}}},
      {"rms_norm_eps", 1e-6},
      {"tie_word_embeddings", false},
      {"max_position_embeddings", 163840},
  };
}

QuantisationTarget target_from_name(const std::string& target_name) {
  if (const auto target = quantisation_target_from_name(target_name)) return *target;
  std::vector<std::string_view> names;
  for (const QuantisationTargetInfo& known : quantisation_targets()) names.push_back(known.name);
  throw_error(ErrorKind::invalid_argument, "unknown type '{}': expected one of {}", target_name,
              fmt::join(names, ", "));
}

/// The types that a model gets when it is quantised.
std::vector<DType> tensor_types(std::span<const TensorPlan> plan, const ModelConfig& config,
                                QuantisationTarget target) {
  QuantisedModelShape shape;
  shape.architecture = config.architecture;
  shape.layers = static_cast<int>(config.layers);
  shape.heads = static_cast<int>(config.heads);
  shape.key_value_heads = static_cast<int>(config.key_value_heads);
  shape.tied_embeddings = config.tied_embeddings;
  std::vector<DType> types;
  for (const TensorPlan& tensor : plan) {
    types.push_back(tensor.always_f32 ? DType::f32
                                      : choose_type(tensor.name, tensor.shape, shape, target).dtype);
  }
  return types;
}

/// Writes one row's stored bytes.
using FillRow = std::function<void(int64_t row, std::span<std::byte> bytes)>;

/// Rows with random weights; a row's draw depends on the tensor's name and the row's number alone.
FillRow random_rows(const TensorPlan& tensor, DType dtype, uint64_t seed) {
  const int64_t columns = tensor.shape.back();
  const float deviation =
      tensor.shape.size() > 1 ? 1.0F / std::sqrt(static_cast<float>(columns)) : 0.1F;  // biases
  uint64_t name_hash = 0;
  for (char character : tensor.name) name_hash = mix_bits(name_hash ^ static_cast<unsigned char>(character));
  return [=](int64_t row, std::span<std::byte> bytes) {
    fill_random_blocks(dtype, bytes, deviation, seed ^ name_hash, static_cast<uint64_t>(row));
  };
}

/// Fills the tensor piece by piece on all threads and appends it.
void write_tensor(GgufWriter& writer, ThreadPool& pool, const TensorPlan& tensor, DType dtype,
                  const FillRow& fill) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
  const size_t stride = row_bytes(dtype, tensor.shape.back());
  constexpr int64_t kChunkBytes = int64_t{64} << 20;
  constexpr int64_t kPieceBytes = int64_t{1} << 18;
  const int64_t chunk_rows = std::max<int64_t>(1, kChunkBytes / static_cast<int64_t>(stride));
  const int64_t piece_rows = std::max<int64_t>(1, kPieceBytes / static_cast<int64_t>(stride));
  std::vector<std::byte> chunk;
  for (int64_t first = 0; first < rows; first += chunk_rows) {
    const int64_t count = std::min(chunk_rows, rows - first);
    chunk.resize(static_cast<size_t>(count) * stride);
    pool.parallel_for((count + piece_rows - 1) / piece_rows, [&](int64_t piece, int) {
      for (int64_t row = piece * piece_rows; row < std::min(count, (piece + 1) * piece_rows); ++row) {
        fill(first + row, std::span(chunk).subspan(static_cast<size_t>(row) * stride, stride));
      }
    });
    writer.append(chunk);
  }
}

/// How the rows of a model are made whose text repeats itself: the layers add nothing to the residual stream,
/// and the output matrix's row of a token is the embedding of the token before it.
class RepeatingRows {
 public:
  RepeatingRows(std::span<const TensorPlan> plan, const ModelConfig& config, std::span<const DType> dtypes,
                const SynthOptions& options)
      : period_(options.period) {
    for (size_t i = 0; i < plan.size(); ++i) {
      if (plan[i].name != "token_embd.weight") continue;
      embedding_dtype_ = dtypes[i];
      columns_ = plan[i].shape.back();
      embedding_ = random_rows(plan[i], dtypes[i], options.seed);
    }
    if (config.tied_embeddings || period_ < 1 || period_ > config.vocabulary) {
      throw_error(
          ErrorKind::invalid_argument,
          "period: expected 1 to the vocabulary's {} tokens of a model with an output matrix of its own, "
          "found {}",
          config.vocabulary, config.tied_embeddings ? "tied embeddings" : std::to_string(period_));
    }
    last_ = config.vocabulary / period_ * period_;
  }

  /// Nothing for a tensor that is random as ever.
  std::optional<FillRow> find(const std::string& name, DType dtype) const {
    if (name.find("attn_output") != std::string::npos || name.find("ffn_down") != std::string::npos) {
      return [](int64_t, std::span<std::byte> bytes) { std::fill(bytes.begin(), bytes.end(), std::byte{0}); };
    }
    if (name != "output.weight") return std::nullopt;
    return [this, dtype](int64_t row, std::span<std::byte> bytes) {
      std::vector<std::byte> stored(row_bytes(embedding_dtype_, columns_));
      embedding_(before(row), stored);
      std::vector<float> values(static_cast<size_t>(columns_));
      dequantise_row(embedding_dtype_, stored.data(), values);
      quantise_row(dtype, values, bytes.data());
    };
  }

 private:
  /// Tokens [k · period, (k + 1) · period) follow each other in a ring; those left over repeat themselves.
  int64_t before(int64_t token) const {
    if (token >= last_) return token;
    return token % period_ == 0 ? token + period_ - 1 : token - 1;
  }

  int64_t period_;
  int64_t last_ = 0;
  int64_t columns_ = 0;
  DType embedding_dtype_ = DType::f32;
  FillRow embedding_;
};

}  // namespace

std::vector<std::string> synth_shape_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kDenseShapes) + std::size(kDeepseekShapes));
  for (const DenseShape& shape : kDenseShapes) names.emplace_back(shape.name);
  for (const DeepseekShape& shape : kDeepseekShapes) names.emplace_back(shape.name);
  return names;
}

nlohmann::json synth_config(std::string_view shape_name) {
  for (const DenseShape& shape : kDenseShapes) {
    if (same_name(shape.name, shape_name)) return dense_config(shape);
  }
  for (const DeepseekShape& shape : kDeepseekShapes) {
    if (same_name(shape.name, shape_name)) return deepseek_config(shape);
  }
  throw_error(ErrorKind::invalid_argument, "unknown shape '{}': expected one of {}", shape_name,
              fmt::join(synth_shape_names(), ", "));
}

void write_synthetic_gguf(std::string_view shape, const std::filesystem::path& output,
                          const SynthOptions& options) {
  const ModelConfig config = read_model_config(synth_config(shape));
  const std::vector<TensorPlan> plan = plan_hub_model(config, std::string(shape));
  const QuantisationTarget target = target_from_name(options.type);

  GgufWriter writer(output);
  write_model_metadata(writer, config);
  writer.set_string("general.name", fmt::format("{} with random weights", shape));
  writer.set_u32("general.file_type", info(target).file_type);
  writer.set_u32("general.quantization_version", 2);
  if (options.tokenizer) {
    write_vocabulary(writer, load_vocabulary(*options.tokenizer), config.vocabulary);
  } else {
    write_byte_vocabulary(writer, config.vocabulary);
  }
  const std::vector<DType> dtypes = tensor_types(plan, config, target);
  for (size_t i = 0; i < plan.size(); ++i) {
    writer.declare_tensor(plan[i].name, dtypes[i], plan[i].shape);
  }
  std::optional<RepeatingRows> repeating;
  if (options.period != 0) repeating.emplace(plan, config, dtypes, options);
  ThreadPool pool(options.threads);
  for (size_t i = 0; i < plan.size(); ++i) {
    const TensorPlan& tensor = plan[i];
    if (tensor.source == TensorPlan::Source::rotary_factors) {
      writer.append(std::as_bytes(std::span(tensor.values)));
    } else if (tensor.name.ends_with("norm.weight")) {
      const std::vector<float> ones(static_cast<size_t>(tensor.shape[0]), 1.0F);
      writer.append(std::as_bytes(std::span(ones)));
    } else {
      std::optional<FillRow> fill;
      if (repeating) fill = repeating->find(tensor.name, dtypes[i]);
      write_tensor(writer, pool, tensor, dtypes[i],
                   fill ? *fill : random_rows(tensor, dtypes[i], options.seed));
    }
  }
  writer.finish();
}

}  // namespace r1
