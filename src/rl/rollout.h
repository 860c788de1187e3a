// Answers sampled from the policy as it is now, by an engine of this process on the trained weights themselves: no
// export, no second copy. The reported log-probabilities are, bit for bit, those that a trainer's pass computes for the same
// tokens (EngineOptions::for_training).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/text_model.h"
#include "rl/question.h"
#include "rl/reward.h"
#include "train/options.h"

namespace r1::rl {

/// One sampled answer.
struct Rollout {
  const Question* question = nullptr;
  int64_t group = 0;                         // index of the question in its step
  std::vector<int32_t> tokens{};             // generated, the end token included
  std::vector<float> log_probs{};            // [tokens]: of the distribution that was sampled
  std::vector<std::vector<int32_t>> kept{};  // [tokens], or empty without filters: SampledToken::kept
  Answer answer{};
};

struct RolloutStatistics {
  int64_t tokens = 0;  // generated
  double seconds = 0;
};

/// One thread.
class RolloutEngine {
 public:
  /// All must outlive it. `model` is bound to the trained weights; `adapter` may be null. `longest_prompt`: of all questions
  /// that will be asked.
  RolloutEngine(Context& context, const TextModel& model, const Adapter* adapter,
                const ReinforcementOptions& options, int64_t longest_prompt);

  /// `group` answers to each question; answer i of the whole call draws with random numbers of (seed, i). Questions whose
  /// answers are asked for together share their prompt's keys and values. `stop`: asked between passes; true throws
  /// Error(cancelled).
  std::vector<Rollout> sample(std::span<const Question* const> questions, int64_t group,
                              const SamplingOptions& sampling, uint64_t seed,
                              const std::function<bool()>& stop);
  /// To be called after the weights changed.
  void weights_changed() { engine_->weights_changed(); }

  const RolloutStatistics& last() const { return last_; }
  /// Tokens [0, known) may be generated: TrainingBatch::known_tokens.
  int64_t known() const { return known_; }
  size_t bytes() const { return bytes_; }

 private:
  RequestId submit(Rollout& rollout, const SamplingOptions& sampling, uint64_t seed);

  const TextModel& model_;
  const Adapter* adapter_;
  int64_t answer_tokens_;
  int64_t known_;
  size_t bytes_ = 0;
  std::unique_ptr<Engine> engine_;
  RolloutStatistics last_;
  std::optional<Error> failure_;  // of one of the requests
};

}  // namespace r1::rl
