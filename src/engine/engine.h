// Generates text for many requests at once: continuous batching over a paged cache.
//
// Goals: a request's tokens depend on the request alone (not on batch, chunking, preemption, prefix reuse or
// speculation), nothing is lost when memory runs short, a request can be cancelled at every step.
// Non-goals: text (tokens in, tokens out; stop strings are matched through a callback of the owner), HTTP.
// Threads: an Engine is driven by one thread that calls step(); cancel() may come from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/sampling.h"
#include "model/model.h"

namespace r1 {

using RequestId = uint64_t;

enum class FinishReason { stop_token, stop_callback, length, loop, cancelled };

/// Closes an endless `<think>` by force: after `budget` reasoning tokens the closing ids are emitted as if
/// sampled.
struct ThinkingOptions {
  bool starts_inside = false;                 // the prompt ends inside an open thinking block
  int32_t open_token = -1, close_token = -1;  // -1: the vocabulary has none
  int64_t budget = -1;                        // reasoning tokens; -1: no limit
  std::vector<int32_t> closing;               // what is emitted at the limit (contains close_token)
  int64_t answer_reserve = 0;  // with max_tokens: tokens kept back for the answer; thinking is closed in time
};

struct Request {
  std::vector<int32_t> prompt;
  SamplingOptions sampling;
  ThinkingOptions thinking;
  int64_t max_tokens = -1;           // -1: until the context is full
  std::vector<int32_t> stop_tokens;  // ends the answer; not passed on as text
  int32_t speculation = 0;           // tokens drafted by prompt look-up a step; 0: off
  bool loop_detection = false;       // end an answer that only repeats itself (FinishReason::loop)
  int32_t priority = 0;              // higher first; equal: first come
  /// Called on the engine's thread for each new token, in order. Return false to stop here (a stop string was
  /// found: FinishReason::stop_callback). Must not throw.
  std::function<bool(const SampledToken&)> on_token;
  /// Called once, last.
  std::function<void(FinishReason)> on_finish;
  /// Mask of allowed tokens for the next position; empty: no constraint.
  std::function<std::span<const bool>(std::span<const int32_t> generated)> constraint;
};

struct EngineOptions {
  int64_t context_length = 0;  // tokens a sequence may have; 0: the model's
  int64_t kv_bytes = 0;  // memory for keys and values; 0: enough for one full context (see Engine::info)
  DType key_dtype = DType::f16;
  DType value_dtype = DType::f16;
  int64_t batch_tokens = 512;  // tokens a forward pass takes at most (prefill chunk)
  int64_t sequences = 64;      // running at once at most
  bool prefix_reuse = true;
};

struct EngineStatistics {
  int64_t waiting = 0, running = 0;
  int64_t blocks_total = 0, blocks_free = 0, blocks_cached = 0;
  int64_t prompt_tokens = 0;  // asked for
  int64_t reused_tokens = 0;  // of them found in the prefix tree
  int64_t generated_tokens = 0;
  int64_t drafted_tokens = 0, accepted_tokens = 0;
  int64_t preemptions = 0;
  int64_t steps = 0;
};

class Engine {
 public:
  Engine(std::shared_ptr<const Model> model, Context& context, const EngineOptions& options);
  ~Engine();

  /// Queues a request. Throws Error(context_overflow) with the numbers when prompt (+ max_tokens) cannot fit
  /// the context or the pool, Error(invalid_argument) for bad options; nothing is cut.
  RequestId submit(Request request);

  /// From any thread, at any time; unknown or finished ids are ignored. Takes effect at the next layer of a
  /// pass that serves only this request, else at the next step.
  void cancel(RequestId id);
  /// Closes a running request's thinking at the next step ("answer now"). From any thread.
  void answer_now(RequestId id);

  /// One forward pass and its samples. False when there was nothing to do.
  bool step();
  /// Steps until all requests ended.
  void run();

  EngineStatistics statistics() const;
  const EngineOptions& options() const;
  /// Throws std::logic_error when a pool invariant is broken (free + cached + in use = total, …). For tests
  /// and idle time.
  void check_integrity() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1
