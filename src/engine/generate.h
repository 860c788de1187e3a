// Text in, text out, on top of an Engine: what the command line, scores and evaluation need.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_splitter.h"
#include "engine/engine.h"
#include "engine/text_model.h"

namespace r1 {

enum class TextKind { reasoning, answer };

/// One answer, whole.
struct Generation {
  std::string reasoning;  // without the tags
  std::string answer;
  std::vector<int32_t> tokens{};  // all generated ones, the stop token excluded
  int64_t reasoning_tokens = 0;   // of them
  std::vector<ToolCall> calls{};
  std::string stop_string;  // AnswerEnd::stop_string: the one that was found
  AnswerEnd end = AnswerEnd::stop;
  /// An endpoint's text without any marker of thinking: where it was cut off, it may be thinking.
  bool unmarked = false;
  RequestSummary summary{};

  /// Tokens a second; 0 when nothing was measured. Prefill counts the tokens that were not reused.
  double prefill_speed() const;
  double decode_speed() const;
};

struct TextRequest {
  std::vector<int32_t> prompt;
  GenerationOptions options{};
  const Adapter* adapter = nullptr;  // null: the engine's
  /// Each new piece of text, in whole characters, on the engine's thread. Must not throw.
  std::function<void(TextKind, std::string_view)> on_text{};
};

/// Queues the request; `on_done` is called once on the engine's thread. `model` must live until then. Throws
/// as TextModel::request and Engine::submit do.
RequestId submit_text(Engine& engine, const TextModel& model, TextRequest request,
                      std::function<void(Generation)> on_done);

}  // namespace r1
