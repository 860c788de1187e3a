// A step's answers with what they got.
#pragma once

#include <string>
#include <vector>

#include "rl/rollout.h"

namespace r1::rl {

struct ScoredRollouts {
  std::vector<Rollout> rollouts;
  std::vector<std::string> names;          // of the rewards
  std::vector<std::vector<double>> parts;  // [names][rollouts]: unweighted, kNoReward where there is none
  std::vector<double> rewards;             // [rollouts]: weighted sums
  std::vector<double> advantages;          // [rollouts]
};

}  // namespace r1::rl
