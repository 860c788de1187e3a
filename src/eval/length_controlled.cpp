#include "eval/length_controlled.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace r1::eval {
namespace {

constexpr size_t kFeatures = 3;  // tanh of the length difference, difficulty, and 1 for the model itself
using Weights = std::array<double, kFeatures>;

struct Row {
  Weights features{};
  double preference = 0, weight = 1;
};

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

double product(const Weights& a, const Weights& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/// −log likelihood of a preference at log odds x, in the form that cannot overflow.
double loss(double preference, double x) {
  return std::log1p(std::exp(-std::abs(x))) + (x > 0 ? (1 - preference) * x : -preference * x);
}

double objective(std::span<const Row> rows, const Weights& weights, double strength) {
  double sum = 0;
  for (const Row& row : rows) sum += row.weight * loss(row.preference, product(row.features, weights));
  return strength * sum + std::abs(weights[0]) + std::abs(weights[1]) + std::abs(weights[2]);
}

/// The step d that minimises gradient·d + curvature·d²/2 + |weight + d|.
double soft_step(double weight, double gradient, double curvature) {
  if (gradient + 1 <= curvature * weight) return -(gradient + 1) / curvature;
  if (gradient - 1 >= curvature * weight) return -(gradient - 1) / curvature;
  return -weight;
}

/// Minimises Σ|w| + strength·loss by coordinate descent with a line search (Yuan et al. 2010, as liblinear does).
Weights fit(std::span<const Row> rows, double strength, Weights weights) {
  constexpr int kRounds = 500;
  double value = objective(rows, weights, strength);
  for (int round = 0; round < kRounds; ++round) {
    double largest = 0;
    for (size_t feature = 0; feature < kFeatures; ++feature) {
      double gradient = 0, curvature = 1e-12;
      for (const Row& row : rows) {
        const double chance = logistic(product(row.features, weights)), x = row.features[feature];
        gradient += strength * row.weight * (chance - row.preference) * x;
        curvature += strength * row.weight * chance * (1 - chance) * x * x;
      }
      double step = soft_step(weights[feature], gradient, curvature);
      constexpr int kHalvings = 30;
      for (int i = 0; i < kHalvings && step != 0; ++i, step /= 2) {
        Weights next = weights;
        next[feature] += step;
        const double next_value = objective(rows, next, strength);
        if (next_value >= value) continue;
        weights = next;
        value = next_value;
        largest = std::max(largest, std::abs(step));
        break;
      }
    }
    if (largest < 1e-9) break;
  }
  return weights;
}

double cross_validated_strength(std::span<const Row> rows) {
  constexpr size_t kFolds = 5, kStrengths = 10;
  std::array<double, kStrengths> losses{};
  for (size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<Row> training, held_out;
    for (size_t i = 0; i < rows.size(); ++i) (i % kFolds == fold ? held_out : training).push_back(rows[i]);
    if (held_out.empty()) continue;
    Weights weights{};
    for (size_t i = 0; i < kStrengths; ++i) {
      weights = fit(training, std::pow(10.0, -4 + 8 * static_cast<double>(i) / (kStrengths - 1)), weights);
      double sum = 0;
      for (const Row& row : held_out)
        sum += row.weight * loss(row.preference, product(row.features, weights));
      losses[i] += sum / static_cast<double>(held_out.size());
    }
  }
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  return std::pow(10.0, -4 + 8 * static_cast<double>(best) / (kStrengths - 1));
}

double win_rate(std::span<const Row> model, const Weights& weights) {
  double sum = 0;
  for (const Row& row : model) sum += logistic(weights[1] * row.features[1] + weights[2]);
  return sum / static_cast<double>(model.size());
}

double deviation(std::span<const LengthComparison> comparisons) {
  double mean = 0, squares = 0;
  const auto n = static_cast<double>(comparisons.size());
  for (const LengthComparison& comparison : comparisons) mean += comparison.length_difference / n;
  for (const LengthComparison& comparison : comparisons)
    squares += (comparison.length_difference - mean) * (comparison.length_difference - mean);
  return comparisons.size() < 2 || squares == 0 ? 1 : std::sqrt(squares / (n - 1));
}

}  // namespace

Estimate length_controlled_win_rate(std::span<const LengthComparison> model,
                                    std::span<const LengthComparison> gamed, uint64_t seed,
                                    int64_t bootstraps) {
  if (model.empty()) return {0, 0, 1};
  constexpr double kGamedWeight = 0.1;
  std::vector<Row> rows;
  rows.reserve(gamed.size() + model.size());
  for (const LengthComparison& pair : gamed)
    rows.push_back({{std::tanh(pair.length_difference), pair.difficulty, 0}, pair.preference, kGamedWeight});
  const double scale = deviation(model);
  for (const LengthComparison& pair : model)
    rows.push_back({{std::tanh(pair.length_difference / scale), pair.difficulty, 1}, pair.preference, 1});
  const std::span<const Row> own = std::span(rows).subspan(gamed.size());
  const double strength = cross_validated_strength(rows);
  const Weights weights = fit(rows, strength, {});

  std::vector<double> rates;
  rates.reserve(static_cast<size_t>(bootstraps));
  std::vector<Row> drawn(rows.begin(), rows.end());
  uint64_t draw = 0;
  for (int64_t i = 0; i < bootstraps; ++i) {
    for (size_t j = 0; j < own.size(); ++j) {
      const double place = random_uniform(seed, draw++) * static_cast<double>(own.size());
      drawn[gamed.size() + j] = own[static_cast<size_t>(place)];
    }
    rates.push_back(win_rate(std::span(drawn).subspan(gamed.size()), fit(drawn, strength, weights)));
  }
  const double rate = win_rate(own, weights);
  if (rates.empty()) return {rate, rate, rate};
  std::sort(rates.begin(), rates.end());
  const auto at = [&](double share) {
    return rates[static_cast<size_t>(std::lround(share * static_cast<double>(rates.size() - 1)))];
  };
  return {rate, std::min(rate, at(0.025)), std::max(rate, at(0.975))};
}

}  // namespace r1::eval
