#include "engine/engine.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/error.h"
#include "base/seconds.h"
#include "engine/next_token.h"
#include "engine/request_checks.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace r1 {
namespace {

using Clock = Sequence::Clock;

}  // namespace

struct Engine::State {
  State(std::shared_ptr<const Model> model_in, Context& context_in, const EngineOptions& options_in)
      : model(std::move(model_in)),
        context(&context_in),
        options(complete_options(options_in, *model, context_in.arithmetic())),
        vocabulary(model->info().vocabulary),
        cache(model->kv_layers(),
              options.kv_bytes / static_cast<int64_t>(KvCache::block_bytes(
                                     model->kv_layers(), options.key_dtype, options.value_dtype)),
              options.key_dtype, options.value_dtype, KvCache::Sharing::none, model->placement()),
        scheduler(cache, options) {
    for (int thread = 0; thread < context->pool().size(); ++thread)
      samplers.emplace_back(context->kernels(), options.known_tokens);
  }

  std::shared_ptr<const Model> model;
  Context* context;
  EngineOptions options;
  int64_t vocabulary;
  KvCache cache;
  Scheduler scheduler;
  std::vector<Sampler> samplers;  // one a thread

  std::mutex mutex;  // guards the next four
  std::vector<SequencePointer> inbox;
  std::unordered_map<RequestId, SequencePointer> alive;
  RequestId last_id = 0;
  EngineStatistics published;
  std::atomic<bool> some_cancelled{false};

  // Of the step; kept for their memory.
  EngineStatistics counts;
  std::vector<int32_t> tokens;
  std::vector<SequenceSlice> slices;
  std::vector<int32_t> output_rows;
  std::vector<int64_t> first_output;  // of each slice
  std::vector<int64_t> accepted;
  std::unique_ptr<float[]> logits;
  int64_t logits_capacity = 0;

  void finish(const SequencePointer& sequence, FinishReason reason);
  bool receive();
  bool forward(const std::vector<PlannedSlice>& plan);
  void sample(const std::vector<PlannedSlice>& plan);
  void deliver(const std::vector<PlannedSlice>& plan);
  void report_progress();
  void publish();
};

void Engine::State::finish(const SequencePointer& sequence, FinishReason reason) {
  scheduler.remove(*sequence);
  {
    const std::lock_guard lock(mutex);
    alive.erase(sequence->id);
  }
  RequestSummary& summary = sequence->summary;
  summary.reason = reason;
  summary.prompt_tokens = sequence->prompt_tokens;
  summary.generated_tokens = sequence->generated();
  if (sequence->has_started) summary.queue_seconds = seconds(sequence->submitted, sequence->started);
  if (summary.generated_tokens > 0) {
    summary.prefill_seconds = seconds(sequence->started, sequence->first_token);
    summary.decode_seconds = seconds(sequence->first_token, sequence->last_token);
  }
  if (sequence->request.on_finish) sequence->request.on_finish(summary);
}

/// Takes in what other threads asked for. True when a request ended by it.
bool Engine::State::receive() {
  // In this order: what is cancelled before the flag is read has then arrived as well.
  const bool look_for_cancelled = some_cancelled.exchange(false);
  std::vector<SequencePointer> arrived;
  {
    const std::lock_guard lock(mutex);
    arrived.swap(inbox);
  }
  for (SequencePointer& sequence : arrived) scheduler.add(std::move(sequence));
  if (!look_for_cancelled) return false;
  std::vector<SequencePointer> ending;
  for (const auto* list : {&scheduler.running(), &scheduler.waiting()}) {
    for (const SequencePointer& sequence : *list) {
      if (sequence->cancelled.load(std::memory_order_relaxed)) ending.push_back(sequence);
    }
  }
  for (const SequencePointer& sequence : ending) finish(sequence, FinishReason::cancelled);
  return !ending.empty();
}

/// The forward pass of the plan; false when it was broken off because all its requests were cancelled.
bool Engine::State::forward(const std::vector<PlannedSlice>& plan) {
  tokens.clear();
  slices.clear();
  output_rows.clear();
  first_output.clear();
  const Clock::time_point now = Clock::now();
  for (const PlannedSlice& slice : plan) {
    Sequence& sequence = *slice.sequence;
    const auto begin = sequence.tokens.begin() + sequence.computed;
    const int64_t drafts = std::ssize(sequence.draft);
    tokens.insert(tokens.end(), begin, begin + (slice.rows - drafts));
    tokens.insert(tokens.end(), sequence.draft.begin(), sequence.draft.end());
    slices.push_back({slice.rows, sequence.computed, sequence.blocks, sequence.request.adapter});
    first_output.push_back(std::ssize(output_rows));
    for (int64_t row = slice.outputs; row > 0; --row) {
      output_rows.push_back(static_cast<int32_t>(std::ssize(tokens) - row));
    }
    if (!sequence.has_started) {
      sequence.has_started = true;
      sequence.started = now;
      counts.prompt_tokens += sequence.prompt_tokens;
      counts.reused_tokens += sequence.summary.reused_tokens;
    }
  }
  const int64_t wanted = std::ssize(output_rows) * vocabulary;
  if (wanted > logits_capacity) {
    logits.reset(new float[wanted]);  // not cleared: the pass writes all of it
    logits_capacity = wanted;
  }
  const auto all_cancelled = [&plan] {
    return std::ranges::all_of(plan, [](const PlannedSlice& slice) {
      return slice.sequence->cancelled.load(std::memory_order_relaxed);
    });
  };
  try {
    model->forward(*context, {tokens, slices, output_rows}, cache, logits.get(), all_cancelled);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) throw;
    return false;
  }
  counts.computed_tokens += std::ssize(tokens);
  return true;
}

void Engine::State::sample(const std::vector<PlannedSlice>& plan) {
  accepted.assign(plan.size(), 0);
  context->pool().parallel_for(std::ssize(plan), [&](int64_t index, int thread) {
    if (plan[index].outputs == 0) return;
    accepted[index] = advance(*plan[index].sequence, samplers[thread],
                              logits.get() + first_output[index] * vocabulary, vocabulary);
  });
  const Clock::time_point now = Clock::now();
  for (size_t index = 0; index < plan.size(); ++index) {
    Sequence& sequence = *plan[index].sequence;
    const int64_t drafted = std::ssize(sequence.draft);
    sequence.computed += plan[index].rows - drafted + accepted[index];
    sequence.lookup.report(drafted, accepted[index]);
    sequence.summary.drafted_tokens += drafted;
    sequence.summary.accepted_tokens += accepted[index];
    counts.drafted_tokens += drafted;
    counts.accepted_tokens += accepted[index];
    if (sequence.fresh.empty()) continue;
    if (sequence.generated() == std::ssize(sequence.fresh)) sequence.first_token = now;
    sequence.last_token = now;
  }
}

void Engine::State::deliver(const std::vector<PlannedSlice>& plan) {
  std::vector<SequencePointer> ending;
  for (const SequencePointer& sequence : scheduler.running()) {
    if (sequence->finish) ending.push_back(sequence);
  }
  for (const PlannedSlice& slice : plan) {
    Sequence& sequence = *slice.sequence;
    const int64_t before = std::ssize(sequence.tokens) - std::ssize(sequence.fresh);
    counts.generated_tokens += std::ssize(sequence.fresh);
    for (size_t index = 0; index < sequence.fresh.size() && sequence.request.on_token; ++index) {
      if (sequence.request.on_token(sequence.fresh[index])) continue;
      // What was sampled behind a stop string was never said.
      counts.generated_tokens -= std::ssize(sequence.fresh) - static_cast<int64_t>(index) - 1;
      sequence.tokens.resize(before + static_cast<int64_t>(index) + 1);
      sequence.computed = std::min(sequence.computed, std::ssize(sequence.tokens));
      if (!sequence.finish) {
        const auto& running = scheduler.running();
        ending.push_back(*std::ranges::find(running, &sequence, &SequencePointer::get));
      }
      sequence.finish = FinishReason::stop_callback;
      break;
    }
    sequence.fresh.clear();
    sequence.draft.clear();
    scheduler.commit(sequence);
  }
  for (const SequencePointer& sequence : ending) finish(sequence, *sequence->finish);
}

void Engine::State::report_progress() {
  const auto report = [](const Sequence& sequence, int64_t waiting_before) {
    if (!sequence.request.on_progress || sequence.generated() > 0) return;
    sequence.request.on_progress(
        {waiting_before, sequence.prompt_tokens, sequence.summary.reused_tokens, sequence.computed});
  };
  for (const SequencePointer& sequence : scheduler.running()) report(*sequence, -1);
  int64_t before = 0;
  for (const SequencePointer& sequence : scheduler.waiting()) report(*sequence, before++);
}

void Engine::State::publish() {
  counts.running = std::ssize(scheduler.running());
  counts.blocks_total = scheduler.pool().total();
  counts.blocks_free = scheduler.pool().free();
  counts.blocks_cached = scheduler.pool().cached();
  counts.preemptions = scheduler.preemptions();
  const std::lock_guard lock(mutex);
  counts.waiting = std::ssize(scheduler.waiting()) + std::ssize(inbox);
  published = counts;
}

Engine::Engine(std::shared_ptr<const Model> model, Context& context, const EngineOptions& options)
    : state_(std::make_unique<State>(std::move(model), context, options)) {
  state_->publish();
}

Engine::~Engine() = default;

RequestId Engine::submit(Request request) {
  State& state = *state_;
  if (request.adapter == nullptr) request.adapter = state.options.adapter;
  check_request(request, state.vocabulary, state.options);
  auto sequence = std::make_shared<Sequence>();
  sequence->prompt_tokens = std::ssize(request.prompt);
  sequence->tokens = std::move(request.prompt);
  sequence->max_tokens =
      request.max_tokens >= 0 ? request.max_tokens : state.options.context_length - sequence->prompt_tokens;
  sequence->thinking = request.thinking.starts_inside;
  if (request.loop_detection) sequence->loop.emplace();
  sequence->request = std::move(request);
  sequence->submitted = Clock::now();
  const std::lock_guard lock(state.mutex);
  sequence->id = ++state.last_id;
  state.inbox.reserve(state.inbox.size() + 1);  // what is alive arrives
  state.alive.emplace(sequence->id, sequence);
  state.inbox.push_back(std::move(sequence));
  ++state.published.waiting;
  return state.last_id;
}

void Engine::cancel(RequestId id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->alive.find(id);
  if (found == state_->alive.end()) return;
  found->second->cancelled.store(true, std::memory_order_relaxed);
  state_->some_cancelled.store(true);
}

void Engine::answer_now(RequestId id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->alive.find(id);
  if (found != state_->alive.end()) found->second->answer_now.store(true, std::memory_order_relaxed);
}

bool Engine::step() {
  State& state = *state_;
  const Clock::time_point begin = Clock::now();
  const bool ended = state.receive();
  const std::vector<PlannedSlice>& plan = state.scheduler.plan();
  if (plan.empty()) {
    state.publish();
    return ended;
  }
  state.report_progress();
  const Clock::time_point planned = Clock::now();
  const bool computed = state.forward(plan);
  const Clock::time_point passed = Clock::now();
  if (computed) state.sample(plan);
  const Clock::time_point sampled = Clock::now();
  if (computed) state.deliver(plan);
  ++state.counts.steps;
  state.counts.forward_seconds += seconds(planned, passed);
  state.counts.sampling_seconds += seconds(passed, sampled);
  state.counts.other_seconds += seconds(begin, planned) + seconds(sampled, Clock::now());
  state.publish();
  return true;
}

void Engine::run() {
  while (step()) {
  }
}

void Engine::weights_changed() {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->alive.empty()) {
      throw_error(ErrorKind::invalid_argument,
                  "weights changed: expected no running or waiting request, found {}", state_->alive.size());
    }
  }
  state_->scheduler.forget_cached();
  state_->publish();
}

EngineStatistics Engine::statistics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->published;
}

const EngineOptions& Engine::options() const {
  return state_->options;
}

void Engine::check_integrity() const {
  state_->scheduler.check_integrity();
}

}  // namespace r1
