// The answers of an evaluation's run as rewards and filters read them: eval and rl meet here.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/run.h"
#include "rl/reward.h"

namespace r1::cli {

/// Of the task `questions`. Not copyable: answers point to questions.
struct SampledAnswers {
  explicit SampledAnswers(const eval::Run& run);
  SampledAnswers(const SampledAnswers&) = delete;
  SampledAnswers& operator=(const SampledAnswers&) = delete;

  std::vector<rl::Question> questions;  // of the run's items, without prompts
  std::vector<rl::Answer>
      answers;  // in the order of the run's samples, failed ones left out; group: index of the item
  std::vector<size_t> samples;  // of each answer: its index in Run::samples
  int64_t failed = 0;           // samples that the engine or the endpoint could not answer
};

}  // namespace r1::cli
