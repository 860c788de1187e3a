// What is asked of an Engine, and what it reports about it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/sampling.h"

namespace r1 {

class Adapter;

using RequestId = uint64_t;

enum class FinishReason { stop_token, stop_callback, length, loop, cancelled, error };

/// Closes an endless `<think>` by force: after `budget` reasoning tokens the closing ids are emitted as if
/// sampled.
struct ThinkingOptions {
  bool starts_inside = false;                 // the prompt ends inside an open thinking block
  int32_t open_token = -1, close_token = -1;  // -1: the vocabulary has none
  int64_t budget = -1;                        // reasoning tokens; -1: no limit
  std::vector<int32_t> closing{};             // what is emitted at the limit (contains close_token)
  int64_t answer_reserve = 0;  // of max_tokens: tokens kept back for the answer; thinking is closed in time
};

/// How a request went. Times are wall-clock seconds on the engine's thread.
struct RequestSummary {
  FinishReason reason = FinishReason::length;
  std::string error;                      // FinishReason::error: one line
  std::optional<ErrorKind> error_kind{};  // its kind; invalid_argument: the request contradicts itself
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;     // of them found in the prefix tree
  int64_t generated_tokens = 0;  // the stop token not counted
  int64_t drafted_tokens = 0, accepted_tokens = 0;
  int64_t preemptions = 0;
  double queue_seconds = 0;    // from submit to the first forward pass
  double prefill_seconds = 0;  // from there to the first token
  double decode_seconds = 0;   // from the first token to the last
};

/// Progress of a request before its first token.
struct RequestProgress {
  int64_t waiting_before = -1;  // waiting requests that are before it in order; -1: it runs
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;    // of them found in the prefix tree
  int64_t computed_tokens = 0;  // of them in the cache, the reused ones among them
};

struct Request {
  std::vector<int32_t> prompt;  // at least one token
  SamplingOptions sampling{};
  ThinkingOptions thinking{};
  int64_t max_tokens = -1;             // -1: until the context is full
  std::vector<int32_t> stop_tokens{};  // ends the answer; not passed on
  int32_t speculation = 0;             // tokens drafted by prompt look-up a step, at most; 0: off
  bool loop_detection = false;         // end an answer that only repeats itself (engine/loop_detector.h)
  int32_t priority = 0;                // higher first; the operator's to grant (a server limits it)
  uint64_t owner = 0;                  // who asks, as a key's number: owners take turns (docs/engine.md)
  const Adapter* adapter = nullptr;    // nn/adapter.h; null: the engine's; not owned
  /// Called on the engine's thread for each new token, in order. Return false to stop here (a stop string was
  /// found: FinishReason::stop_callback). Must not throw.
  std::function<bool(const SampledToken&)> on_token{};
  /// Called on the engine's thread before every pass until the first token is there. Must not throw.
  std::function<void(const RequestProgress&)> on_progress{};
  /// Called once, last, on the engine's thread (not when the engine is destroyed before the end).
  std::function<void(const RequestSummary&)> on_finish{};
  /// Allowed tokens at the next position: bit t % 64 of word t / 64, as many words as the vocabulary needs;
  /// empty: no constraint. Called on any thread of the pool, one call at a time for a request, in order; the
  /// words are read before the next call. An Error that it throws ends the request.
  std::function<std::span<const uint64_t>(std::span<const int32_t> generated)> constraint{};
};

}  // namespace r1
