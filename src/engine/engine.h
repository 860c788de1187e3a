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
#include <memory>

#include "engine/engine_options.h"
#include "engine/request.h"
#include "model/model.h"

namespace r1 {

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

  /// To be called after the model's weights were changed: forgets all keys and values, so that later requests
  /// read none of the old weights'. (For an adapter alone, Adapter::mark_changed() suffices.) On the engine's
  /// thread. Throws Error(invalid_argument), and forgets nothing, while a request runs or waits.
  void weights_changed();

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
