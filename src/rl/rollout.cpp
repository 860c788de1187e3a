#include "rl/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "engine/answer_splitter.h"

namespace r1::rl {
namespace {

using Clock = std::chrono::steady_clock;

/// The texts of an answer, while it is generated.
struct Reading {
  Reading(const TextModel& model, const std::vector<int32_t>& prompt)
      : splitter(model, options, model.start_of(prompt)) {}

  void add(const AnswerDelta& delta, Answer& answer) const {
    answer.reasoning += delta.reasoning;
    answer.answer += delta.content;
  }

  GenerationOptions options;
  AnswerSplitter splitter;
};

}  // namespace

RolloutEngine::RolloutEngine(Context& context, const TextModel& model, const Adapter* adapter,
                             const ReinforcementOptions& options, int64_t longest_prompt)
    : model_(model), adapter_(adapter), answer_tokens_(options.answer_tokens) {
  const ModelInfo& info = model.info();
  EngineOptions engine;
  engine.for_training = true;
  engine.known_tokens = known_tokens(model.vocabulary(), info.vocabulary);
  if (!engine.known_tokens.holes.empty()) {
    throw_error(ErrorKind::unsupported, "train grpo: the vocabulary has {} ids below {} that are no tokens",
                engine.known_tokens.holes.size(), engine.known_tokens.limit);
  }
  known_ = engine.known_tokens.limit < 0 ? info.vocabulary : engine.known_tokens.limit;
  engine.context_length = longest_prompt + answer_tokens_;
  if (engine.context_length > info.context_length) {
    throw_error(
        ErrorKind::context_overflow,
        "answer_tokens: {} and the longest prompt of {} tokens are more than the model's context of {}",
        answer_tokens_, longest_prompt, info.context_length);
  }
  engine.sequences = options.rollout_sequences;
  engine.batch_tokens = std::max<int64_t>(512, options.rollout_sequences);
  const int64_t blocks = engine.sequences * (engine.context_length / KvCache::kBlockTokens + 2);
  engine.kv_bytes =
      blocks * static_cast<int64_t>(KvCache::block_bytes(model.model().kv_layers(), KvCache::kTrainingDtype,
                                                         KvCache::kTrainingDtype));
  bytes_ = static_cast<size_t>(engine.kv_bytes);
  engine.adapter = adapter;
  engine_ = std::make_unique<Engine>(model.shared_model(), context, engine);
}

RequestId RolloutEngine::submit(Rollout& rollout, const SamplingOptions& sampling, uint64_t seed) {
  Request request;
  request.prompt = rollout.question->prompt;
  request.sampling = sampling;
  request.sampling.seed = seed;
  request.sampling.sampled_log_probability = true;
  request.max_tokens = answer_tokens_;
  request.speculation = GenerationOptions{}.lookup;
  request.adapter = adapter_;
  const std::vector<int32_t>& ends = model_.vocabulary().end_of_generation;
  const auto reading = std::make_shared<Reading>(model_, request.prompt);
  // The end token is learnt like any other, so it must be reported: the answer is stopped behind it, not before.
  request.on_token = [&rollout, &ends, reading](const SampledToken& token) {
    rollout.tokens.push_back(token.token);
    rollout.log_probs.push_back(token.sampled_log_probability.value_or(0));
    if (!token.kept.empty()) {
      rollout.kept.resize(rollout.tokens.size());
      rollout.kept.back() = token.kept;
    }
    if (std::ranges::find(ends, token.token) != ends.end()) {
      rollout.answer.finished = true;
      return false;
    }
    AnswerDelta delta;
    reading->splitter.push(token, delta);
    reading->add(delta, rollout.answer);
    return true;
  };
  request.on_finish = [&rollout, reading, this](const RequestSummary& summary) {
    AnswerDelta delta;
    reading->splitter.finish(delta);
    reading->add(delta, rollout.answer);
    if (!rollout.kept.empty()) rollout.kept.resize(rollout.tokens.size());
    Answer& answer = rollout.answer;
    answer.question = rollout.question;
    answer.group = rollout.group;
    answer.tokens = std::ssize(rollout.tokens);
    answer.output = model_.tokenizer().decode(rollout.tokens, false);
    answer.in_reasoning = model_.can_think() &&
                          std::ranges::find(rollout.tokens, model_.close_think()) == rollout.tokens.end() &&
                          !answer.reasoning.empty();
    if (summary.reason == FinishReason::error && !failure_) {
      failure_.emplace(summary.error_kind.value_or(ErrorKind::invalid_argument),
                       fmt::format("rollout: {}: {}", rollout.question->place, summary.error));
    }
  };
  return engine_->submit(std::move(request));
}

std::vector<Rollout> RolloutEngine::sample(std::span<const Question* const> questions, int64_t group,
                                           const SamplingOptions& sampling, uint64_t seed,
                                           const std::function<bool()>& stop) {
  const Clock::time_point start = Clock::now();
  std::vector<Rollout> rollouts(questions.size() * static_cast<size_t>(group));
  std::vector<RequestId> requests;
  requests.reserve(rollouts.size());
  for (size_t i = 0; i < rollouts.size(); ++i) {
    rollouts[i].group = static_cast<int64_t>(i) / group;
    rollouts[i].question = questions[static_cast<size_t>(rollouts[i].group)];
    requests.push_back(submit(rollouts[i], sampling, random_bits(seed, i)));
  }
  failure_.reset();
  bool stopped = false;
  while (engine_->step()) {
    if (stopped || ((!stop || !stop()) && !failure_)) continue;
    stopped = true;
    for (const RequestId request : requests)
      engine_->cancel(request);  // their callbacks point into `rollouts`
  }
  if (failure_) throw Error(*failure_);
  if (stopped) throw_error(ErrorKind::cancelled, "interrupted");
  last_ = {};
  for (const Rollout& rollout : rollouts) last_.tokens += std::ssize(rollout.tokens);
  last_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return rollouts;
}

}  // namespace r1::rl
