// Generates text for many requests at once: continuous batching over a paged cache.
//
// Goals: a request's tokens depend on the request alone (not on batch, chunking, preemption, prefix reuse or
// speculation), nothing is lost when memory runs short, a request can be cancelled at every step.
// Non-goals: text (tokens in, tokens out; stop strings are matched through a callback of the owner), HTTP.
// Threads: an Engine is driven by one thread that calls step(); submit(), cancel(), answer_now() and
// statistics() may come from any thread, and from callbacks.
// The rules of scheduling: docs/engine.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/sampling.h"
#include "model/model.h"

namespace r1 {

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
  std::string error;  // FinishReason::error: one line
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;     // of them found in the prefix tree
  int64_t generated_tokens = 0;  // the stop token not counted
  int64_t drafted_tokens = 0, accepted_tokens = 0;
  int64_t preemptions = 0;
  double queue_seconds = 0;    // from submit to the first forward pass
  double prefill_seconds = 0;  // from there to the first token
  double decode_seconds = 0;   // from the first token to the last
};

/// Where a request stands before its first token.
struct RequestProgress {
  int64_t waiting_before = -1;  // requests that go first; -1: it runs
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
  int32_t priority = 0;                // higher first; equal: first come
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

struct EngineOptions {
  int64_t context_length = 0;  // tokens a sequence may have; 0: the model's, or what kv_bytes hold if fewer
  int64_t kv_bytes = 0;        // memory for keys and values; 0: enough for one full context
  DType key_dtype = DType::f16;
  DType value_dtype = DType::f16;
  int64_t batch_tokens = 512;  // tokens a forward pass takes at most, ≥ 2 (prefill chunk)
  int64_t sequences = 64;      // running at once at most
  bool prefix_reuse = true;
  const Adapter* adapter = nullptr;  // of requests that bring none (nn/adapter.h); not owned
};

struct EngineStatistics {
  int64_t waiting = 0, running = 0;
  int64_t blocks_total = 0, blocks_free = 0, blocks_cached = 0;
  int64_t prompt_tokens = 0;    // of requests that began to run
  int64_t reused_tokens = 0;    // of them found in the prefix tree
  int64_t computed_tokens = 0;  // rows that went through the model
  int64_t generated_tokens = 0;
  int64_t drafted_tokens = 0, accepted_tokens = 0;
  int64_t preemptions = 0;
  int64_t steps = 0;
  double forward_seconds = 0, sampling_seconds = 0;
  double other_seconds = 0;  // scheduling, callbacks
};

class Engine {
 public:
  /// Throws Error(invalid_argument) for options that make no sense, among them a context_length that
  /// kv_bytes cannot hold.
  Engine(std::shared_ptr<const Model> model, Context& context, const EngineOptions& options);
  ~Engine();

  /// Queues a request. Throws Error(context_overflow) with the numbers when prompt + max_tokens cannot fit
  /// the context, Error(invalid_argument) for bad options; nothing is cut.
  RequestId submit(Request request);

  /// Unknown or finished ids are ignored. Takes effect between two layers of a pass that serves only
  /// cancelled requests, else at the next step.
  void cancel(RequestId id);
  /// Closes a request's open thinking at its next token ("answer now"); the request must have
  /// thinking.closing.
  void answer_now(RequestId id);

  /// One forward pass and its samples. False when there was nothing to do. An exception of the model leaves
  /// all requests as they were before the step.
  bool step();
  /// Steps until all requests ended.
  void run();

  EngineStatistics statistics() const;
  /// With the zeros filled in.
  const EngineOptions& options() const;
  /// Throws std::logic_error when a pool invariant is broken (free + cached + in use = total, …). For tests
  /// and idle time; on the engine's thread.
  void check_integrity() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1
