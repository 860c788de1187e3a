// The decoders once more, from the published formulas, in double and without any of src/: what a model's
// logits should be. One sequence, no cache, a hub directory's names and settings. Sources: Touvron et al.,
// Llama 2 (2023); Yang et al., Qwen2 (2024); DeepSeek-V3 technical report (2024) and its inference code;
// Meta's reference code for llama3 scaling; Peng et al., YaRN (2023).
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace r1::test {

class ReferenceDecoder {
 public:
  using Vector = std::vector<double>;
  using Weights = std::map<std::string, std::vector<float>>;  // matrices row by row

  ReferenceDecoder(nlohmann::json config, const Weights& weights)
      : config_(std::move(config)), weights_(weights), is_deepseek_(config_["model_type"] == "deepseek_v3") {
    hidden_ = config_["hidden_size"];
    heads_ = config_["num_attention_heads"];
    epsilon_ = config_["rms_norm_eps"];
    if (is_deepseek_) {
      rotary_ = config_["qk_rope_head_dim"];
    } else {
      head_ = config_.value("head_dim", hidden_ / heads_);
      rotary_ = head_;
    }
    read_rope();
  }

  /// [ids, vocabulary].
  std::vector<Vector> logits(const std::vector<int>& ids) const {
    std::vector<Vector> x;
    const auto& table = weights_.at("model.embed_tokens.weight");
    for (const int id : ids) x.emplace_back(table.begin() + id * hidden_, table.begin() + (id + 1) * hidden_);
    const int layers = config_["num_hidden_layers"];
    for (int layer = 0; layer < layers; ++layer) {
      const std::string part = "model.layers." + std::to_string(layer) + ".";
      std::vector<Vector> normed;
      for (const Vector& row : x) normed.push_back(norm(row, part + "input_layernorm.weight"));
      const std::vector<Vector> attended =
          is_deepseek_ ? latent_attention(part, normed) : grouped_attention(part, normed);
      for (size_t t = 0; t < x.size(); ++t) {
        add(x[t], attended[t]);
        const Vector row = norm(x[t], part + "post_attention_layernorm.weight");
        const bool dense = !is_deepseek_ || layer < config_["first_k_dense_replace"].get<int>();
        add(x[t], dense ? gated(part + "mlp.", row) : mixture(part + "mlp.", row));
      }
    }
    const bool tied = config_.value("tie_word_embeddings", false);
    std::vector<Vector> out;
    for (const Vector& row : x) {
      out.push_back(times(tied ? "model.embed_tokens" : "lm_head", norm(row, "model.norm.weight")));
    }
    return out;
  }

 private:
  static void add(Vector& to, const Vector& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  }

  Vector norm(const Vector& x, const std::string& name) const {
    const auto& weight = weights_.at(name);
    double squares = 0;
    for (const double value : x) squares += value * value;
    Vector out;
    for (size_t i = 0; i < x.size(); ++i) {
      out.push_back(x[i] / std::sqrt(squares / static_cast<double>(x.size()) + epsilon_) * weight[i]);
    }
    return out;
  }

  // W x, and the bias where the model has one.
  Vector times(const std::string& name, const Vector& x) const {
    const auto& weight = weights_.at(name + ".weight");
    const auto bias = weights_.find(name + ".bias");
    Vector out(weight.size() / x.size());
    for (size_t o = 0; o < out.size(); ++o) {
      if (bias != weights_.end()) out[o] = bias->second[o];
      for (size_t i = 0; i < x.size(); ++i) out[o] += weight[o * x.size() + i] * x[i];
    }
    return out;
  }

  static double silu(double x) { return x / (1 + std::exp(-x)); }

  Vector gated(const std::string& part, const Vector& x) const {
    Vector gate = times(part + "gate_proj", x);
    const Vector up = times(part + "up_proj", x);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = silu(gate[i]) * up[i];
    return times(part + "down_proj", gate);
  }

  Vector mixture(const std::string& part, const Vector& x) const {
    const int experts = config_["n_routed_experts"], groups = config_["n_group"];
    const int chosen = config_["num_experts_per_tok"], size = experts / groups;
    const Vector logits = times(part + "gate", x);
    const auto& bias = weights_.at(part + "gate.e_score_correction_bias");
    Vector scores;
    for (const double logit : logits) scores.push_back(1 / (1 + std::exp(-logit)));
    std::vector<std::pair<double, int>> by_group, by_expert;
    for (int g = 0; g < groups; ++g) {
      Vector of_group;
      for (int e = g * size; e < (g + 1) * size; ++e) of_group.push_back(scores[e] + bias[e]);
      std::ranges::sort(of_group, std::greater());
      by_group.emplace_back(-(of_group[0] + of_group[1]), g);
    }
    std::ranges::sort(by_group);
    for (int k = 0; k < config_["topk_group"].get<int>(); ++k) {
      for (int e = by_group[k].second * size; e < (by_group[k].second + 1) * size; ++e) {
        by_expert.emplace_back(-(scores[e] + bias[e]), e);
      }
    }
    std::ranges::sort(by_expert);
    double sum = 0;
    for (int k = 0; k < chosen; ++k) sum += scores[by_expert[k].second];
    if (!config_["norm_topk_prob"].get<bool>()) sum = 1;
    Vector out = gated(part + "shared_experts.", x);
    for (int k = 0; k < chosen; ++k) {
      const int e = by_expert[k].second;
      Vector expert = gated(part + "experts." + std::to_string(e) + ".", x);
      for (double& value : expert) value *= scores[e] / sum * config_["routed_scaling_factor"].get<double>();
      add(out, expert);
    }
    return out;
  }

  // One head over all positions up to t. keys and values: [position][columns].
  static Vector attend(const Vector& query, const std::vector<Vector>& keys,
                       const std::vector<Vector>& values, size_t t, double scale) {
    Vector weights, out(values[0].size());
    double sum = 0;
    for (size_t s = 0; s <= t; ++s) {
      double score = 0;
      for (size_t c = 0; c < query.size(); ++c) score += query[c] * keys[s][c];
      weights.push_back(std::exp(score * scale));
      sum += weights.back();
    }
    for (size_t s = 0; s <= t; ++s) {
      for (size_t c = 0; c < out.size(); ++c) out[c] += weights[s] / sum * values[s][c];
    }
    return out;
  }

  static Vector part_of(const Vector& x, int64_t first, int64_t count) {
    return {x.begin() + first, x.begin() + first + count};
  }

  std::vector<Vector> grouped_attention(const std::string& part, const std::vector<Vector>& x) const {
    const int64_t groups = config_["num_key_value_heads"];
    std::vector<std::vector<Vector>> keys(groups), values(groups);
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector key = times(part + "self_attn.k_proj", x[t]),
                   value = times(part + "self_attn.v_proj", x[t]);
      for (int64_t g = 0; g < groups; ++g) {
        keys[g].push_back(rotated(part_of(key, g * head_, head_), t, false));
        values[g].push_back(part_of(value, g * head_, head_));
      }
    }
    std::vector<Vector> out;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector queries = times(part + "self_attn.q_proj", x[t]);
      Vector all;
      for (int64_t h = 0; h < heads_; ++h) {
        const int64_t g = h / (heads_ / groups);
        const Vector head = attend(rotated(part_of(queries, h * head_, head_), t, false), keys[g], values[g],
                                   t, 1 / std::sqrt(static_cast<double>(head_)));
        all.insert(all.end(), head.begin(), head.end());
      }
      out.push_back(times(part + "self_attn.o_proj", all));
    }
    return out;
  }

  // Every head with its own keys and values, as in training: nothing is absorbed.
  std::vector<Vector> latent_attention(const std::string& part, const std::vector<Vector>& x) const {
    const int64_t latent = config_["kv_lora_rank"], plain = config_["qk_nope_head_dim"];
    const int64_t columns = config_["v_head_dim"], query_columns = plain + rotary_;
    std::vector<std::vector<Vector>> keys(heads_), values(heads_);
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector compressed = times(part + "self_attn.kv_a_proj_with_mqa", x[t]);
      const Vector shared = rotated(part_of(compressed, latent, rotary_), t, true);
      const Vector both = times(part + "self_attn.kv_b_proj", norm(part_of(compressed, 0, latent),
                                                                   part + "self_attn.kv_a_layernorm.weight"));
      for (int64_t h = 0; h < heads_; ++h) {
        Vector key = part_of(both, h * (plain + columns), plain);
        key.insert(key.end(), shared.begin(), shared.end());
        keys[h].push_back(key);
        values[h].push_back(part_of(both, h * (plain + columns) + plain, columns));
      }
    }
    std::vector<Vector> out;
    for (size_t t = 0; t < x.size(); ++t) {
      const bool compressed = config_["q_lora_rank"].is_number() && config_["q_lora_rank"] > 0;
      const Vector queries =
          compressed ? times(part + "self_attn.q_b_proj", norm(times(part + "self_attn.q_a_proj", x[t]),
                                                               part + "self_attn.q_a_layernorm.weight"))
                     : times(part + "self_attn.q_proj", x[t]);
      Vector all;
      for (int64_t h = 0; h < heads_; ++h) {
        Vector query = part_of(queries, h * query_columns, plain);
        const Vector rotary_part = rotated(part_of(queries, h * query_columns + plain, rotary_), t, true);
        query.insert(query.end(), rotary_part.begin(), rotary_part.end());
        const Vector head = attend(query, keys[h], values[h], t,
                                   score_factor_ / std::sqrt(static_cast<double>(query_columns)));
        all.insert(all.end(), head.begin(), head.end());
      }
      out.push_back(times(part + "self_attn.o_proj", all));
    }
    return out;
  }

  // Neighbours 2i and 2i + 1 (DeepSeek), or i and i + n.
  Vector rotated(Vector x, size_t position, bool neighbours) const {
    const size_t pairs = frequencies_.size();
    for (size_t i = 0; i < pairs; ++i) {
      double& a = x[neighbours ? 2 * i : i];
      double& b = x[neighbours ? 2 * i + 1 : i + pairs];
      const double angle = static_cast<double>(position) * frequencies_[i];
      const double c = std::cos(angle) * magnitude_, s = std::sin(angle) * magnitude_;
      const double rotated_a = a * c - b * s;
      b = a * s + b * c;
      a = rotated_a;
    }
    return x;
  }

  void read_rope() {
    const double base = config_["rope_theta"];
    for (int64_t i = 0; i < rotary_ / 2; ++i) {
      frequencies_.push_back(1 / std::pow(base, 2.0 * static_cast<double>(i) / static_cast<double>(rotary_)));
    }
    if (!config_.contains("rope_scaling") || config_["rope_scaling"].is_null()) return;
    const nlohmann::json& scaling = config_["rope_scaling"];
    const std::string type = scaling.contains("rope_type") ? scaling["rope_type"] : scaling["type"];
    const double factor = scaling["factor"];
    if (type == "linear") {
      for (double& frequency : frequencies_) frequency /= factor;
      return;
    }
    const double original = scaling["original_max_position_embeddings"];
    if (type == "llama3") {
      const double low = scaling["low_freq_factor"], high = scaling["high_freq_factor"];
      for (double& frequency : frequencies_) {
        const double wavelength = 2 * std::numbers::pi / frequency;
        if (wavelength > original / low) {
          frequency /= factor;
        } else if (wavelength >= original / high) {
          const double smooth = (original / wavelength - low) / (high - low);
          frequency = (1 - smooth) * frequency / factor + smooth * frequency;
        }
      }
      return;
    }
    // YaRN: pair i is kept below `low`, divided above `high`, blended between.
    const auto pair_of = [&](double turns) {
      return static_cast<double>(rotary_) * std::log(original / (turns * 2 * std::numbers::pi)) /
             (2 * std::log(base));
    };
    const double low = std::max(std::floor(pair_of(scaling.value("beta_fast", 32.0))), 0.0);
    const double high =
        std::min(std::ceil(pair_of(scaling.value("beta_slow", 1.0))), static_cast<double>(rotary_ - 1));
    for (size_t i = 0; i < frequencies_.size(); ++i) {
      const double divided =
          std::min(1.0, std::max(0.0, (static_cast<double>(i) - low) / std::max(high - low, 0.001)));
      frequencies_[i] = frequencies_[i] / factor * divided + frequencies_[i] * (1 - divided);
    }
    const auto length = [&](double multiplier) {
      return factor <= 1 ? 1.0 : 0.1 * multiplier * std::log(factor) + 1;
    };
    if (is_deepseek_) {
      const double all = length(scaling.value("mscale_all_dim", 0.0));
      magnitude_ = length(scaling.value("mscale", 1.0)) / all;
      score_factor_ = all * all;
    } else {
      magnitude_ = length(1);
    }
  }

  nlohmann::json config_;
  const Weights& weights_;
  bool is_deepseek_;
  int64_t hidden_ = 0, heads_ = 0, head_ = 0, rotary_ = 0;
  double epsilon_ = 0;
  Vector frequencies_;
  double magnitude_ = 1, score_factor_ = 1;
};

}  // namespace r1::test
