// The settings of a model, read and checked once for all who need them (run, convert, quantise, train), from
// GGUF metadata or a hub's config.json. Sources: the GGUF specification's keys and those of llama.cpp's
// converter; transformers' configuration classes, whose defaults stand in for settings that are not written.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"

namespace r1 {

/// How queries and keys are rotated.
struct RopeConfig {
  enum class Scaling { none, linear, llama3, yarn };
  double base = 10000;
  Scaling scaling = Scaling::none;
  double factor = 1;                                           // linear, llama3, yarn
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double original_context = 0;                                 // llama3, yarn: positions
  double beta_fast = 32, beta_slow = 1;                        // yarn
  double magnitude = 1;                                        // yarn: multiplies sine and cosine
  double score_magnitude = 1;  // yarn of DeepSeek: its square multiplies the scores
  double log_multiplier = 0;   // yarn of DeepSeek: mscale_all_dim, from which score_magnitude follows
};

std::string_view name(RopeConfig::Scaling scaling);

/// Multi-head latent attention (DeepSeek-V2, 2024). Widths of one head, or ranks.
struct LatentConfig {
  int64_t query_rank = 0;  // 0: queries come straight from the hidden state
  int64_t key_value_rank = 0;
  int64_t plain = 0;   // columns of a query or key that are not rotated
  int64_t rotary = 0;  // columns that are
  int64_t value = 0;
};

/// A mixture of experts with sigmoid routing in groups (DeepSeek-V3, 2024).
struct ExpertConfig {
  int64_t experts = 0;
  int64_t chosen = 0;  // per token
  int64_t groups = 1;
  int64_t chosen_groups = 1;
  int64_t width = 0;   // feed-forward columns of one expert
  int64_t shared = 0;  // experts that every token meets
  double scale = 1;
  bool normalise = true;  // weights of the chosen experts sum to `scale`
};

struct ModelConfig {
  std::string architecture;       // GGUF's name: llama (Mistral too), qwen2, qwen3, deepseek2
  int64_t layers = 0;             // without prediction layers
  int64_t prediction_layers = 0;  // multi-token prediction layers that the file announces
  int64_t hidden = 0;
  int64_t middle = 0;  // feed-forward columns
  int64_t heads = 0;
  int64_t key_value_heads = 0;
  int64_t head_columns = 0;           // grouped-query attention
  bool head_columns_written = false;  // and not just hidden / heads
  int64_t vocabulary = 0;             // rows of the embedding; 0: neither settings nor tensors say
  int64_t context_length = 0;         // trained positions
  int64_t sliding_window = 0;         // positions that a query sees, itself included; 0: all before it
  double epsilon = 0;                 // of the norms
  bool tied_embeddings = false;
  /// Biases that the settings announce. GGUF has no setting for them: there the ones that are found are
  /// added.
  bool query_key_value_bias = false;
  bool attention_output_bias = false;
  bool feed_forward_bias = false;
  bool query_key_norm = false;  // each head's queries and keys are normed before they are rotated
  RopeConfig rope;
  int64_t dense_layers = 0;  // of a mixture of experts: layers before the first with experts
  std::optional<LatentConfig> latent;
  std::optional<ExpertConfig> experts;
  /// What the user should know, one line each: values that the file lacks and that were assumed.
  std::vector<std::string> remarks;
};

/// Reads and checks all settings. What changes the computation and is not done here throws
/// Error(unsupported) with key and value; a missing or impossible value Error(bad_file).
ModelConfig read_model_config(const ModelFile& file);

/// config.json alone, for models that are nowhere on disk.
ModelConfig read_model_config(const nlohmann::json& config);

/// Checks that every tensor of `file` has a place: `used`, or known to change nothing (frequencies that
/// follow from the settings, a copy of tied embeddings, prediction layers, a reward model's head). Returns
/// remarks on tensors that are left out; a tensor without a place throws Error(bad_file) by name.
std::vector<std::string> account_for_tensors(const ModelFile& file, const ModelConfig& config,
                                             const std::vector<std::string>& used);

// Bounds of sane settings: larger ones are taken for damage.
inline constexpr int64_t kMaxLayers = 4096;
inline constexpr int64_t kMaxWidth = int64_t{1} << 24;
inline constexpr int64_t kMaxHeads = 4096;
inline constexpr int64_t kMaxExperts = 8192;
inline constexpr int64_t kMaxContext = int64_t{1} << 30;

}  // namespace r1
