#include "eval/bradley_terry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace r1::eval {
namespace {

constexpr double kLargest = 20;

/// Solves the symmetric positive definite system in place, by elimination without pivots.
std::vector<double> solve(std::vector<std::vector<double>> matrix, std::vector<double> right) {
  const size_t n = right.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t row = i + 1; row < n; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (size_t column = i; column < n; ++column) matrix[row][column] -= factor * matrix[i][column];
      right[row] -= factor * right[i];
    }
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t column = i + 1; column < n; ++column) right[i] -= matrix[i][column] * right[column];
    right[i] /= matrix[i][i];
  }
  return right;
}

double percentile(std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double score_against_baseline(std::span<const Battle> battles) {
  return 1 / (1 + std::exp(-bradley_terry(battles, 2)[1]));
}

}  // namespace

std::vector<double> bradley_terry(std::span<const Battle> battles, size_t players) {
  for (const Battle& battle : battles) {
    if (battle.first >= players || battle.second >= players || battle.first == battle.second) {
      throw_error(ErrorKind::invalid_argument, "battle: expected two players below {}, found {} and {}",
                  players, battle.first, battle.second);
    }
  }
  std::vector<double> strengths(players, 0.0);
  if (players < 2) return strengths;
  constexpr int kSteps = 200;
  for (int step = 0; step < kSteps; ++step) {
    // Newton's method; a little on the diagonal holds players in place that the battles do not connect or that are at the limit.
    const size_t free = players - 1;
    std::vector<std::vector<double>> information(free, std::vector<double>(free, 0.0));
    for (size_t i = 0; i < free; ++i) information[i][i] = 1e-9;
    std::vector<double> gradient(free, 0.0);
    for (const Battle& battle : battles) {
      const double chance = 1 / (1 + std::exp(strengths[battle.second] - strengths[battle.first]));
      const double surplus = battle.weight * (battle.score - chance);
      const double weight = battle.weight * chance * (1 - chance);
      const size_t a = battle.first, b = battle.second;
      if (a > 0) gradient[a - 1] += surplus, information[a - 1][a - 1] += weight;
      if (b > 0) gradient[b - 1] -= surplus, information[b - 1][b - 1] += weight;
      if (a > 0 && b > 0) information[a - 1][b - 1] -= weight, information[b - 1][a - 1] -= weight;
    }
    const std::vector<double> change = solve(std::move(information), std::move(gradient));
    double largest = 0;
    for (size_t i = 0; i < free; ++i) {
      const double before = strengths[i + 1];
      strengths[i + 1] = std::clamp(before + std::clamp(change[i], -2.0, 2.0), -kLargest, kLargest);
      largest = std::max(largest, std::abs(strengths[i + 1] - before));
    }
    if (largest < 1e-12) break;
  }
  return strengths;
}

Estimate arena_hard_score(std::span<const ArenaGame> games, uint64_t seed, int64_t bootstraps) {
  if (games.empty()) return {0, 0, 1};
  std::map<size_t, std::vector<Battle>> questions;
  std::vector<Battle> battles;
  battles.reserve(games.size());
  for (const ArenaGame& game : games) {
    battles.push_back({1, 0, game.score, game.strong ? kStrongWinWeight : 1});
    questions[game.question].push_back(battles.back());
  }
  std::vector<const std::vector<Battle>*> clusters;
  clusters.reserve(questions.size());
  for (const auto& [question, its_battles] : questions) clusters.push_back(&its_battles);
  std::vector<double> scores;
  scores.reserve(static_cast<size_t>(bootstraps));
  uint64_t draw = 0;
  for (int64_t i = 0; i < bootstraps; ++i) {
    std::vector<Battle> drawn;
    for (size_t j = 0; j < clusters.size(); ++j) {
      const auto index =
          static_cast<size_t>(random_uniform(seed, draw++) * static_cast<double>(clusters.size()));
      drawn.insert(drawn.end(), clusters[index]->begin(), clusters[index]->end());
    }
    scores.push_back(score_against_baseline(drawn));
  }
  std::sort(scores.begin(), scores.end());
  return {score_against_baseline(battles), percentile(scores, 0.025), percentile(scores, 0.975)};
}

}  // namespace r1::eval
