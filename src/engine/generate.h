// Text in, text out, on top of an Engine: what the command line, evaluation and simple servers need.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/text_stream.h"
#include "text/tokenizer.h"

namespace r1 {

struct Generation {
  std::string reasoning;  // without the tags
  std::string answer;
  std::vector<int32_t> tokens{};  // all generated ones, the stop token excluded
  std::string stop_string;        // FinishReason::stop_callback: the one that was found
  RequestSummary summary{};

  /// Tokens a second; 0 when nothing was measured. Prefill counts the tokens that were not reused.
  double prefill_speed() const;
  double decode_speed() const;
};

struct TextRequest {
  Request request{};  // prompt and options; on_token and on_finish are called besides
  std::vector<std::string> stop_strings{};
  bool stop_in_reasoning = false;  // stop strings count inside the thinking as well
  bool skip_special = true;        // special tokens give no text
  /// Each new piece of text, in whole characters, on the engine's thread. Must not throw.
  std::function<void(TextKind, std::string_view)> on_text{};
};

/// Queues the request; `on_done` is called once on the engine's thread. Throws as Engine::submit does.
RequestId submit_text(Engine& engine, const Tokenizer& tokenizer, TextRequest request,
                      std::function<void(Generation)> on_done);

/// Queues the request and drives the engine until it ended (other requests go along). `interrupted`, when
/// given, is looked at before every step and cancels the request once it is true. Throws what
/// Engine::submit and Engine::step throw.
Generation generate(Engine& engine, const Tokenizer& tokenizer, TextRequest request,
                    const std::atomic<bool>* interrupted = nullptr);

}  // namespace r1
