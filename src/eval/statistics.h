// Statistics of repeated samples. Every function divides by what is there: a number of samples that was asked for and not
// generated never enters.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace r1::eval {

struct Estimate {
  double value = 0;
  double low = 0, high = 0;  // 95% interval
};

/// Scores of one question's samples.
using Scores = std::vector<double>;

/// Mean over questions of the mean over samples. Interval: standard error clustered by question (Miller 2024, "Adding Error Bars to
/// Evals"), Student's t; Wilson's where each question has one sample of 0 or 1, or all samples are 0 or all 1. Questions without
/// samples are left out.
Estimate mean_score(std::span<const Scores> questions);

/// The unbiased estimator of pass@k (Chen et al. 2021): mean of 1 − C(n−c, k)/C(n, k). Throws Error(invalid_argument) when a question
/// has fewer than k samples, or a score is neither 0 nor 1.
Estimate pass_at(std::span<const Scores> questions, int64_t k);

/// One question's votes: `answer` numbers the classes of equal answers, −1: no vote.
struct Vote {
  int64_t answer = -1;
  bool correct = false;
};
/// Expected correctness of the majority among k of the samples; ties are shared evenly among the answers in front. k < n: the mean
/// over all subsets where there are at most `resamples`, else over `resamples` draws without replacement by `seed`. Throws as
/// pass_at.
Estimate consensus_at(std::span<const std::vector<Vote>> questions, int64_t k, uint64_t seed = 0,
                      int64_t resamples = 100);
/// Numbers the classes of equal answers, in order of first appearance; −1 for an empty text.
std::vector<int64_t> vote_classes(std::span<const std::string> answers,
                                  const std::function<bool(const std::string&, const std::string&)>& same);

/// Difference b − a of two runs over the same questions, in the same order, paired by question; those that one run lacks are
/// left out. The test: two-sided, sign-flip permutations, all of them up to 14 changed questions, else 20,000 draws. Throws
/// Error(invalid_argument) for unequal numbers of questions.
struct PairedDifference {
  Estimate difference{};
  double p_value = 1;
  int64_t questions = 0;
};
PairedDifference paired_difference(std::span<const Scores> a, std::span<const Scores> b, uint64_t seed = 0);

}  // namespace r1::eval
