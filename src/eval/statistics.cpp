#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "eval/score_table.h"
#include "eval/student_t.h"

namespace r1::eval {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The mean of one value a question with its interval, cut off at [lowest, highest].
Estimate mean_over_questions(std::span<const double> values, double lowest, double highest) {
  if (values.empty()) return {0, lowest, highest};
  Estimate estimate{mean(values), lowest, highest};
  if (values.size() == 1) return estimate;
  double squares = 0;
  for (const double value : values) squares += (value - estimate.value) * (value - estimate.value);
  const auto n = static_cast<double>(values.size());
  const double half =
      std::sqrt(squares / (n - 1) / n) * student_t_quantile(0.95, static_cast<int64_t>(values.size()) - 1);
  estimate.low = std::max(lowest, estimate.value - half);
  estimate.high = std::min(highest, estimate.value + half);
  return estimate;
}

/// Of values from 0 to 1. Where all are 0 or all are 1 their variance says nothing: Wilson's interval over the questions.
Estimate mean_of_shares(std::span<const double> values) {
  const auto all = [&](double share) {
    return std::all_of(values.begin(), values.end(), [&](double value) { return value == share; });
  };
  if (values.empty() || (!all(0) && !all(1))) return mean_over_questions(values, 0, 1);
  const auto n = static_cast<int64_t>(values.size());
  const auto [low, high] = wilson_interval(values.front() == 0 ? 0 : n, n);
  return {values.front(), low, high};
}

void check_samples(int64_t k, size_t samples, size_t question, const char* what) {
  if (k < 1) throw_error(ErrorKind::invalid_argument, "{}: expected k of 1 or more, found {}", what, k);
  if (static_cast<int64_t>(samples) < k) {
    throw_error(ErrorKind::invalid_argument, "{}@{}: question {} has {} samples, expected {} or more", what,
                k, question, samples, k);
  }
}

/// Correctness of the most frequent answer among votes[chosen]; shared among answers that are equally frequent.
double majority(const std::vector<Vote>& votes, std::span<const size_t> chosen,
                const std::vector<double>& class_correct, std::vector<int64_t>& counts) {
  std::fill(counts.begin(), counts.end(), 0);
  for (const size_t i : chosen)
    if (votes[i].answer >= 0) ++counts[static_cast<size_t>(votes[i].answer)];
  const int64_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  if (most == 0) return 0;
  double correct = 0;
  int64_t in_front = 0;
  for (size_t answer = 0; answer < counts.size(); ++answer) {
    if (counts[answer] != most) continue;
    correct += class_correct[answer];
    ++in_front;
  }
  return correct / static_cast<double>(in_front);
}

/// C(n, k), or nothing when it is above `limit`.
std::optional<int64_t> subsets(int64_t n, int64_t k, int64_t limit) {
  int64_t count = 1;
  for (int64_t i = 1; i <= std::min(k, n - k); ++i) {
    count = count * (n - i + 1) / i;
    if (count > limit) return std::nullopt;
  }
  return count;
}

/// The next subset of {0, …, n - 1} in lexicographic order; false behind the last.
bool next_subset(std::vector<size_t>& subset, size_t n) {
  for (size_t i = subset.size(); i-- > 0;) {
    if (subset[i] == n - subset.size() + i) continue;
    ++subset[i];
    for (size_t j = i + 1; j < subset.size(); ++j) subset[j] = subset[j - 1] + 1;
    return true;
  }
  return false;
}

double consensus_of_question(const std::vector<Vote>& votes, int64_t k, uint64_t seed, int64_t resamples) {
  int64_t classes = 0;
  for (const Vote& vote : votes) classes = std::max(classes, vote.answer + 1);
  std::vector<double> correct(static_cast<size_t>(classes));
  std::vector<int64_t> counts(static_cast<size_t>(classes));
  for (const Vote& vote : votes) {
    if (vote.answer < 0) continue;
    ++counts[static_cast<size_t>(vote.answer)];
    correct[static_cast<size_t>(vote.answer)] += vote.correct ? 1 : 0;
  }
  for (size_t answer = 0; answer < correct.size(); ++answer)
    if (counts[answer] > 0) correct[answer] /= static_cast<double>(counts[answer]);

  const size_t n = votes.size(), size = static_cast<size_t>(k);
  double sum = 0;
  if (const auto all = subsets(static_cast<int64_t>(n), k, resamples)) {
    std::vector<size_t> subset(size);
    std::iota(subset.begin(), subset.end(), size_t{0});
    do sum += majority(votes, subset, correct, counts);
    while (next_subset(subset, n));
    return sum / static_cast<double>(*all);
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  uint64_t draw = 0;
  for (int64_t resample = 0; resample < resamples; ++resample) {
    for (size_t i = 0; i < size; ++i) {
      const auto offset = static_cast<size_t>(random_uniform(seed, draw++) * static_cast<double>(n - i));
      std::swap(order[i], order[i + offset]);
    }
    sum += majority(votes, std::span(order).first(size), correct, counts);
  }
  return sum / static_cast<double>(resamples);
}

/// Share of the sign assignments whose sum is at least as far from 0 as the observed one.
double sign_flip_p_value(std::vector<double> differences, uint64_t seed) {
  std::erase(differences, 0.0);
  if (differences.empty()) return 1;
  double observed = 0, scale = 0;
  for (const double difference : differences) {
    observed += difference;
    scale += std::abs(difference);
  }
  const double bound =
      std::abs(observed) - 1e-9 * scale;  // sums of the same values in another order count as equal
  constexpr size_t kExact = 14;
  constexpr int64_t kDraws = 20'000;
  int64_t extreme = 0;
  if (differences.size() <= kExact) {
    const uint64_t assignments = uint64_t{1} << differences.size();
    for (uint64_t signs = 0; signs < assignments; ++signs) {
      double sum = 0;
      for (size_t i = 0; i < differences.size(); ++i)
        sum += (signs >> i & 1) != 0 ? -differences[i] : differences[i];
      if (std::abs(sum) >= bound) ++extreme;
    }
    return static_cast<double>(extreme) / static_cast<double>(assignments);
  }
  uint64_t draw = 0;
  for (int64_t i = 0; i < kDraws; ++i) {
    double sum = 0;
    uint64_t bits = 0;
    for (size_t j = 0; j < differences.size(); ++j) {
      if (j % 64 == 0) bits = random_bits(seed, draw++);
      sum += (bits >> (j % 64) & 1) != 0 ? -differences[j] : differences[j];
    }
    if (std::abs(sum) >= bound) ++extreme;
  }
  return static_cast<double>(extreme + 1) / static_cast<double>(kDraws + 1);
}

}  // namespace

Estimate mean_score(std::span<const Scores> questions) {
  std::vector<double> means;
  means.reserve(questions.size());
  bool single = true;
  for (const Scores& scores : questions) {
    if (scores.empty()) continue;
    means.push_back(mean(scores));
    single = single && scores.size() == 1 && (scores[0] == 0 || scores[0] == 1);
  }
  if (!single || means.empty()) return mean_of_shares(means);
  const auto right = static_cast<int64_t>(std::count(means.begin(), means.end(), 1.0));
  const auto [low, high] = wilson_interval(right, static_cast<int64_t>(means.size()));
  return {mean(means), low, high};
}

Estimate pass_at(std::span<const Scores> questions, int64_t k) {
  std::vector<double> values;
  values.reserve(questions.size());
  for (size_t question = 0; question < questions.size(); ++question) {
    const Scores& scores = questions[question];
    check_samples(k, scores.size(), question, "pass");
    const auto right = std::count(scores.begin(), scores.end(), 1.0);
    if (right + std::count(scores.begin(), scores.end(), 0.0) != static_cast<int64_t>(scores.size())) {
      throw_error(ErrorKind::invalid_argument, "pass@{}: expected scores of 0 or 1 in question {}", k,
                  question);
    }
    // C(n − c, k)/C(n, k) as a product, which neither overflows nor cancels.
    const auto n = static_cast<int64_t>(scores.size());
    double none = n - right < k ? 0 : 1;
    for (int64_t i = n - right + 1; i <= n && none > 0; ++i)
      none *= 1 - static_cast<double>(k) / static_cast<double>(i);
    values.push_back(1 - none);
  }
  return mean_of_shares(values);
}

Estimate consensus_at(std::span<const std::vector<Vote>> questions, int64_t k, uint64_t seed,
                      int64_t resamples) {
  std::vector<double> values;
  values.reserve(questions.size());
  for (size_t question = 0; question < questions.size(); ++question) {
    check_samples(k, questions[question].size(), question, "cons");
    values.push_back(consensus_of_question(questions[question], k, random_bits(seed, question), resamples));
  }
  return mean_of_shares(values);
}

std::vector<int64_t> vote_classes(std::span<const std::string> answers,
                                  const std::function<bool(const std::string&, const std::string&)>& same) {
  std::vector<int64_t> classes;
  classes.reserve(answers.size());
  std::vector<const std::string*> first;  // of each class
  for (const std::string& answer : answers) {
    if (answer.empty()) {
      classes.push_back(-1);
      continue;
    }
    auto found =
        std::find_if(first.begin(), first.end(), [&](const std::string* seen) { return *seen == answer; });
    if (found == first.end() && same)
      found = std::find_if(first.begin(), first.end(),
                           [&](const std::string* seen) { return same(*seen, answer); });
    classes.push_back(found - first.begin());
    if (found == first.end()) first.push_back(&answer);
  }
  return classes;
}

PairedDifference paired_difference(std::span<const Scores> a, std::span<const Scores> b, uint64_t seed) {
  if (a.size() != b.size()) {
    throw_error(ErrorKind::invalid_argument,
                "paired difference: expected equal numbers of questions, found {} and {}", a.size(),
                b.size());
  }
  std::vector<double> differences;
  differences.reserve(a.size());
  for (size_t question = 0; question < a.size(); ++question)
    if (!a[question].empty() && !b[question].empty())
      differences.push_back(mean(b[question]) - mean(a[question]));
  return {mean_over_questions(differences, -1, 1), sign_flip_p_value(differences, seed),
          static_cast<int64_t>(differences.size())};
}

}  // namespace r1::eval
