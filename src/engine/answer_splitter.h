// An answer's text side: tokens in; reasoning, answer and tool calls out, stop strings obeyed. The only
// splitter: the same tokens give the same texts in `r1 run`, the server, scores and training (the rules:
// text/stream_parser.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/generation_options.h"
#include "engine/stop_matcher.h"
#include "engine/text_model.h"
#include "engine/token_aligner.h"
#include "text/incremental_decoder.h"
#include "text/stream_parser.h"

namespace r1 {

/// Why an answer ended.
enum class AnswerEnd { stop, stop_string, length, loop, tool_calls, cancelled, error };

/// "stop", "stop_string", …
std::string_view name_of(AnswerEnd end);

/// What is new of one answer.
struct AnswerDelta {
  std::string reasoning, content;  // whole characters
  // When log-probabilities were asked for. All of an answer join to its text; in a stream a token may come behind its
  // text, once it is certain how much of it is text.
  std::vector<TextToken> reasoning_tokens, content_tokens;
  std::vector<ToolCall> calls;  // complete ones, without ids

  bool empty() const {
    return reasoning.empty() && content.empty() && reasoning_tokens.empty() && content_tokens.empty() &&
           calls.empty();
  }
};

/// One answer. One thread at a time.
class AnswerSplitter {
 public:
  /// `model` and `options` must outlive it. `start`: TextModel::start_of() the prompt. Throws
  /// Error(invalid_argument) for an empty stop string.
  AnswerSplitter(const TextModel& model, const GenerationOptions& options, const StreamStart& start);

  /// Adds what is complete with this token to `delta`. False: the answer ends here (a stop string, or the one
  /// call that was asked for).
  bool push(const SampledToken& token, AnswerDelta& delta);
  /// Adds what was held back. Call once, after the last token.
  void finish(AnswerDelta& delta);

  int64_t reasoning_tokens() const { return reasoning_tokens_; }
  /// The stop string that was found; empty: none.
  const std::string& stop_string() const { return stops_.matched(); }
  /// Why the answer ended, after finish().
  AnswerEnd end(FinishReason reason) const;

 private:
  bool is_marker(int32_t token) const;
  void take_events(AnswerDelta& delta);
  void keep(StreamState kind, const StreamEvent& event);
  void take_tokens(bool at_end, AnswerDelta& delta);
  void answer(std::string_view text, AnswerDelta& delta);
  void pass_on(std::string_view text, AnswerDelta& delta);

  const TextModel& model_;
  const GenerationOptions& options_;
  IncrementalDecoder decoder_;
  StreamParser parser_;
  StopMatcher stops_;
  std::vector<StreamEvent> events_;
  const bool wants_tokens_;
  TokenAligner aligner_;
  size_t stream_bytes_ = 0;  // of the tokens' text, markup included
  size_t passed_bytes_ = 0;  // of the answer
  int64_t reasoning_tokens_ = 0, calls_ = 0;
};

}  // namespace r1
