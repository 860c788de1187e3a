// A loaded model with its engine: what the commands that generate text share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "engine/engine.h"
#include "engine/generate.h"
#include "formats/model_file.h"
#include "model/low_rank_adapter.h"
#include "model/vocabulary_loading.h"

namespace r1::cli {

struct GenerationOptions {
  SamplingOptions sampling;
  bool seed_given = false;       // else the caller draws one
  int64_t max_tokens = -1;       // -1: until the context is full
  int64_t thinking_budget = -1;  // -1: no limit
  int32_t lookup = 5;            // tokens drafted by prompt look-up; 0: off
  bool loop_detection = true;
  bool show_special = false;
  std::vector<std::string> stops;
};

/// -n, --seed, --thinking-budget, --stop … and the sampling options.
void add_generation_options(CLI::App& command, GenerationOptions& options);

class Session {
 public:
  /// Opens and maps the model. Throws Error.
  /// `adapter`: a PEFT directory to be applied, or empty.
  /// `expert_cache_bytes`: memory for the most used experts of a mixture.
  Session(const std::string& model, const RuntimeOptions& runtime, int64_t context_length,
          size_t expert_cache_bytes, const std::string& adapter = "");

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const ModelInfo& info() const { return model_->info(); }
  const Engine& engine() const { return *engine_; }
  bool can_think() const { return close_think_ >= 0; }

  /// Tokens of a prompt: special tokens written in it count, BOS goes in front where the vocabulary wants
  /// one.
  std::vector<int32_t> encode(const std::string& prompt) const;

  /// Generates until the end of the answer, a stop string, max_tokens, or Ctrl-C (FinishReason::cancelled).
  /// `on_accepted` (may be empty) is called when the request was found sound, before the first pass.
  Generation generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                      const std::function<void(TextKind, std::string_view)>& on_text,
                      const std::function<void()>& on_accepted = {});

 private:
  std::shared_ptr<const ModelFile> file_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<LowRankAdapter> adapter_;
  Vocabulary vocabulary_;
  int32_t open_think_ = -1, close_think_ = -1;
  ThreadPool pool_;
  Context context_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace r1::cli
