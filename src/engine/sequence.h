// A request on its way: its tokens, how far they are in the cache, and what decides its next token.
// Belongs to the engine's thread; only `cancelled` and `answer_now` are set from others.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/loop_detector.h"
#include "engine/prefix_tree.h"
#include "engine/prompt_lookup.h"
#include "engine/request.h"

namespace r1 {

struct Sequence {
  RequestId id = 0;  // also the order of arrival
  Request request;
  int64_t max_tokens = 0;       // the request's, or what the context leaves
  std::vector<int32_t> tokens;  // prompt, then generated
  int64_t prompt_tokens = 0;

  int64_t computed = 0;              // positions whose keys and values are in the cache
  std::vector<int32_t> blocks;       // of the cache, in order; one reference each
  int64_t tree_blocks = 0;           // leading blocks that are nodes of the prefix tree
  PrefixTree::Node* tail = nullptr;  // node of the last of them
  AdapterVersion adapter_version;    // of what is in the cache; held so that its root stays
  bool prompt_tail_in_tree = false;  // the prompt's last, partly filled block has been offered
  std::vector<int32_t> draft;        // guesses for the positions behind `tokens`, this step

  // Thinking: `closing` counts the tokens of request.thinking.closing emitted so far, -1: not closing.
  bool thinking = false;
  int64_t reasoning_tokens = 0;
  int64_t closing = -1;

  // Scheduling (docs/engine.md).
  int64_t turn = 0;            // place among its owner's requests of the same priority, from 0
  int64_t furthest = 0;        // the most positions that were ever computed, before preemptions too
  int64_t displaceable = 0;    // once this many positions are computed, its time is used up
  int64_t blocked_passes = 0;  // passes for which it was next in order and did not fit

  PromptLookup lookup;
  std::optional<LoopDetector> loop;
  std::optional<FinishReason> finish;  // decided, not yet reported
  RequestSummary summary;
  std::vector<SampledToken> fresh;  // sampled in this step, not yet passed on

  std::atomic<bool> cancelled{false};
  std::atomic<bool> answer_now{false};

  using Clock = std::chrono::steady_clock;
  Clock::time_point submitted, started, first_token, last_token;
  bool has_started = false;

  int64_t uncomputed() const { return std::ssize(tokens) - computed; }
  int64_t generated() const { return std::ssize(tokens) - prompt_tokens; }
  std::span<const int32_t> generated_tokens() const { return std::span(tokens).subspan(prompt_tokens); }
};

using SequencePointer = std::shared_ptr<Sequence>;

}  // namespace r1
