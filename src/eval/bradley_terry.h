// Strengths of players from battles (Bradley and Terry 1952), and Arena-Hard's score by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/statistics.h"

namespace r1::eval {

struct Battle {
  size_t first = 0, second = 0;  // players
  double score = 0;              // of the first: 1 it won, 0 it lost, 0.5 a draw
  double weight = 1;
};

/// Log strengths of players 0 … players − 1 by logistic regression without regularisation: `first` wins with probability
/// 1/(1 + e^(strength[second] − strength[first])), a draw is half a win of each. Player 0 has 0. Strengths stay within ±20, where
/// a player that won or lost everything ends. Throws Error(invalid_argument) for players out of range.
std::vector<double> bradley_terry(std::span<const Battle> battles, size_t players);

/// Of a strong verdict (">>") in Arena-Hard.
inline constexpr double kStrongWinWeight = 3;

/// One game of Arena-Hard against the baseline.
struct ArenaGame {
  size_t question = 0;
  double score = 0;     // of the model: 1, 0.5, 0
  bool strong = false;  // kStrongWinWeight
};

/// The model's expected score against the baseline, 0 to 1 (Li et al. 2024: Arena-Hard, v0.1). Interval: percentiles of bootstraps
/// over questions with both of their games; the published program draws single games, which makes it narrower. No games: 0 with the
/// interval 0 to 1.
Estimate arena_hard_score(std::span<const ArenaGame> games, uint64_t seed = 0, int64_t bootstraps = 100);

}  // namespace r1::eval
