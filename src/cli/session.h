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

namespace r1::cli {

/// -n, --seed, --thinking-budget, --stop … and the sampling options. Without --seed, `seed_given` stays
/// false.
void add_generation_options(Command command, GenerationOptions& options, bool& seed_given);

/// A number that nobody can guess. Throws Error(io).
uint64_t random_seed();

class Session {
 public:
  /// Opens and maps the model. Throws Error.
  /// `adapter`: a PEFT directory or a GGUF file to be applied, or empty.
  /// `expert_cache_bytes`: memory for the most used experts of a mixture.
  Session(const std::string& model, const RuntimeOptions& runtime, int64_t context_length,
          size_t expert_cache_bytes, const std::string& adapter = "");

  const TextModel& text() const { return *text_; }
  const Engine& engine() const { return *engine_; }

  /// Generates until the end of the answer, a stop string, max_tokens, or Ctrl-C (AnswerEnd::cancelled).
  /// `on_accepted` (may be empty) is called when the request was found sound, before the first pass.
  Generation generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                      const std::function<void(TextKind, std::string_view)>& on_text,
                      const std::function<void()>& on_accepted = {});

 private:
  std::optional<TextModel> text_;
  ThreadPool pool_;
  Context context_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace r1::cli
