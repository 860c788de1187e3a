// A model of some thousand weights and generated sequences, for tests of training.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "formats/model_file.h"
#include "model/decoder.h"
#include "train/new_model.h"
#include "train/options.h"
#include "train/parameters.h"
#include "train/sample.h"

namespace r1 {

inline constexpr int32_t kVocabulary = 40;

/// Sequences that count up from a drawn number in drawn strides: learnt in some tens of steps.
class CountingSource final : public BatchSource {
 public:
  CountingSource(int64_t sequences, int64_t batches_per_epoch)
      : sequences_(sequences), batches_(batches_per_epoch) {}
  int64_t batches(int64_t) const override { return batches_; }
  uint64_t fingerprint() const override { return 77; }
  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    TrainingBatch out;
    for (int64_t s = 0; s < sequences_; ++s) {
      const uint64_t number = static_cast<uint64_t>((epoch * batches_ + index) * sequences_ + s);
      const auto first = static_cast<int32_t>(random_bits(5, number) % kVocabulary);
      const auto stride = static_cast<int32_t>(1 + random_bits(6, number) % 2);
      const int64_t rows = 5 + static_cast<int64_t>(random_bits(7, number) % 20);
      out.sequences.push_back({out.rows(), rows, s});
      for (int64_t i = 0; i < rows; ++i) {
        out.tokens.push_back(static_cast<int32_t>((first + stride * i) % kVocabulary));
        out.targets.push_back(i == 0 ? -1 : static_cast<int32_t>((first + stride * (i + 1)) % kVocabulary));
      }
    }
    return out;
  }

 private:
  int64_t sequences_, batches_;
};

inline TrainingOptions tiny_options(const std::string& output) {
  TrainingOptions options;
  options.layers = 2;
  options.hidden = 32;
  options.heads = 4;
  options.key_value_heads = 2;
  options.intermediate = 48;
  options.context_length = 64;
  options.output = output;
  return options;
}

inline nlohmann::json tiny_config(const NewModelOptions& options) {
  return {{"model_type", "qwen2"},
          {"hidden_act", "silu"},
          {"hidden_size", options.hidden},
          {"intermediate_size", options.intermediate},
          {"num_hidden_layers", options.layers},
          {"num_attention_heads", options.heads},
          {"num_key_value_heads", options.key_value_heads},
          {"max_position_embeddings", options.context_length},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", options.tie_embeddings},
          {"vocab_size", kVocabulary}};
}

/// A model with all its weights trained, and what a pass needs.
struct TinyRun {
  explicit TinyRun(const TrainingOptions& options, int threads = 2) : pool(threads) {
    const nlohmann::json config = tiny_config(options);
    add_new_model(config, options, options.seed, store);
    model = load_model(ModelFile::in_memory(config, store.views()));
  }
  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const Parameter& one : store.all()) all.insert(all.end(), one.values, one.values + one.count);
    return all;
  }

  ThreadPool pool;
  Context context{pool, kernels::select_kernels(), Arithmetic::exact};
  ParameterStore store;
  std::unique_ptr<Model> model;
};

/// Pairs: counting up is chosen, counting down rejected.
class PairSource final : public BatchSource {
 public:
  int64_t batches(int64_t) const override { return 50; }
  uint64_t fingerprint() const override { return 78; }
  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    TrainingBatch out;
    for (int64_t s = 0; s < 12; ++s) {
      const auto first = static_cast<int32_t>(
          random_bits(5, static_cast<uint64_t>(epoch * 600 + index * 12 + s / 2)) % kVocabulary);
      const bool rejected = s % 2 == 1;
      out.sequences.push_back({out.rows(), 6, s / 2, rejected ? 0.0 : 1.0});
      for (int32_t i = 0; i < 6; ++i) {
        const int32_t stride = rejected ? kVocabulary - 1 : 1;
        out.tokens.push_back((first + stride * i) % kVocabulary);
        out.targets.push_back(i == 0 ? -1 : (first + stride * (i + 1)) % kVocabulary);
      }
    }
    return out;
  }
};

}  // namespace r1
