#include "eval/elo.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace r1::eval {
namespace {

constexpr double kScale = std::numbers::ln10 / 400;  // log odds of one point
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double log_likelihood(std::span<const RatedProblem> problems, double rating) {
  double sum = 0;
  for (const RatedProblem& problem : problems) {
    const double odds = kScale * (rating - problem.difficulty);
    // log p = −log(1 + e^−odds), log(1 − p) = −log(1 + e^odds), in the form that cannot overflow.
    const double rest = std::log1p(std::exp(-std::abs(odds)));
    sum -=
        problem.solved * (rest + std::max(0.0, -odds)) + (1 - problem.solved) * (rest + std::max(0.0, odds));
  }
  return sum;
}

/// Solved minus expected: the derivative of the likelihood, which falls with the rating.
double surplus(std::span<const RatedProblem> problems, double rating) {
  double sum = 0;
  for (const RatedProblem& problem : problems)
    sum += problem.solved - 1 / (1 + std::exp(-kScale * (rating - problem.difficulty)));
  return sum;
}

/// The place between `low` and `high` where `above` turns from true to false.
double turning_point(double low, double high, const std::function<bool(double)>& above) {
  constexpr int kHalvings = 80;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (above(middle) ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

Rating elo_rating(std::span<const RatedProblem> problems) {
  if (problems.empty())
    throw_error(ErrorKind::invalid_argument, "rating: expected one problem or more, found none");
  double easiest = kInfinity, hardest = -kInfinity, solved = 0;
  for (const RatedProblem& problem : problems) {
    if (!std::isfinite(problem.difficulty) || !(problem.solved >= 0 && problem.solved <= 1)) {
      throw_error(ErrorKind::invalid_argument,
                  "rating: expected a finite difficulty and a share from 0 to 1, found {} and {}",
                  problem.difficulty, problem.solved);
    }
    easiest = std::min(easiest, problem.difficulty);
    hardest = std::max(hardest, problem.difficulty);
    solved += problem.solved;
  }
  // 10,000 points away from every problem, chances are 0 and 1 within a double's digits.
  const double lowest = easiest - 10'000, highest = hardest + 10'000;
  const bool none = solved == 0, all = solved == static_cast<double>(problems.size());
  const double best =
      none  ? lowest
      : all ? highest
            : turning_point(lowest, highest, [&](double rating) { return surplus(problems, rating) > 0; });
  constexpr double kChiSquare = 3.841458820694124;  // 95%, one degree of freedom
  const double bound = log_likelihood(problems, best) - kChiSquare / 2;
  const auto unlikely = [&](double rating) { return log_likelihood(problems, rating) < bound; };
  Rating rating;
  rating.value = none ? -kInfinity : all ? kInfinity : best;
  rating.low = none ? -kInfinity : turning_point(lowest, best, unlikely);
  rating.high =
      all ? kInfinity : turning_point(best, highest, [&](double place) { return !unlikely(place); });
  return rating;
}

}  // namespace r1::eval
