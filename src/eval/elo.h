// A rating from problems of known difficulty: what a contest says of a solver.
#pragma once

#include <span>

namespace r1::eval {

/// One problem of a contest.
struct RatedProblem {
  double difficulty = 0;  // the rating whose holder solves it with probability 1/2
  double solved = 0;      // 0 to 1: the share of tries that solved it
};

/// On the scale of Elo: 400 points are odds of 10 to 1.
struct Rating {
  double value = 0;          // −∞: nothing was solved; +∞: everything was
  double low = 0, high = 0;  // 95% interval by the likelihood ratio; −∞, +∞ where there is no bound
};

/// The rating of the greatest likelihood when a problem is solved with probability 1/(1 + 10^((difficulty − rating)/400)) (Elo 1978).
/// Each problem counts once. Throws Error(invalid_argument) for no problems, difficulties that are not finite and shares outside 0 to 1.
Rating elo_rating(std::span<const RatedProblem> problems);

}  // namespace r1::eval
