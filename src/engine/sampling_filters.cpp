#include "engine/sampling_filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace r1 {
namespace {

bool goes_before(const Candidate& a, const Candidate& b) {
  return a.key != b.key ? a.key < b.key : a.token < b.token;
}

constexpr size_t kMany = 4096;

/// Fills `order` with the candidates of that slice of keys (of 2048 equal ones) in which the sum of weights
/// reaches `target`; returns the weights in front of it. Leaves `order` empty when all keys are equal.
double narrow(const std::vector<Candidate>& candidates, double target, std::vector<Candidate>& order) {
  constexpr int kSlices = 2048;
  double least = candidates[0].key;
  double most = candidates[0].key;
  for (const Candidate& candidate : candidates) {
    least = std::min(least, candidate.key);
    most = std::max(most, candidate.key);
  }
  const double scale = (kSlices - 1) / (most - least);
  if (!std::isfinite(scale)) return 0;
  const auto slice_of = [&](const Candidate& candidate) {
    return static_cast<int>((candidate.key - least) * scale);
  };
  std::array<double, kSlices> weights{};
  for (const Candidate& candidate : candidates) weights[slice_of(candidate)] += candidate.weight;
  int slice = 0;
  double in_front = 0;
  while (slice + 1 < kSlices && in_front + weights[slice] < target) in_front += weights[slice++];
  for (const Candidate& candidate : candidates) {
    if (slice_of(candidate) == slice) order.push_back(candidate);
  }
  return in_front;
}

/// Keeps the shortest beginning, in the order of keys, whose weights reach `target`; at least one candidate.
/// A quickselect that follows the side where the target lies: no sort.
void keep_beginning(std::vector<Candidate>& candidates, double target) {
  if (candidates.size() < 2) return;
  target = std::max(target, std::numeric_limits<double>::min());
  std::vector<Candidate> order;
  double before = 0;  // weights in front of low
  // Many candidates (a flat distribution): only those in the slice of keys where the target lies are ordered.
  const double in_front = candidates.size() > kMany ? narrow(candidates, target, order) : 0;
  if (order.empty()) {
    order = candidates;
  } else {
    before = in_front;
  }
  const bool narrowed = order.size() < candidates.size();
  auto low = order.begin();  // all in front of it are kept
  auto high = order.end();   // all from here on are not
  while (high - low > 16 && before < target) {
    // The median of three, the middle among them, so that sorted input is no bad case.
    Candidate a = *low;
    Candidate pivot = *(low + (high - low) / 2);
    Candidate b = *(high - 1);
    if (goes_before(b, a)) std::swap(a, b);
    if (goes_before(pivot, a)) pivot = a;
    if (goes_before(b, pivot)) pivot = b;
    const auto split =
        std::partition(low, high, [&](const Candidate& each) { return goes_before(each, pivot); });
    double left = 0;
    for (auto each = low; each != split; ++each) left += each->weight;
    if (before + left >= target) {
      high = split;
      continue;
    }
    before += left;
    low = split;
    std::iter_swap(low,
                   std::find_if(low, high, [&](const Candidate& each) { return each.token == pivot.token; }));
    before += (low++)->weight;
  }
  if (before < target) std::sort(low, high, goes_before);
  while (low != high && before < target) before += (low++)->weight;
  if (low == order.end() && !narrowed) return;
  if (low == order.begin()) ++low;  // only by rounding
  const Candidate worst = *(low - 1);
  std::erase_if(candidates, [&](const Candidate& candidate) { return goes_before(worst, candidate); });
}

}  // namespace

double sum_weights(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

void keep_top_p(std::vector<Candidate>& candidates, double target) {
  for (Candidate& candidate : candidates) candidate.key = -static_cast<double>(candidate.logit);
  keep_beginning(candidates, target);
}

void keep_typical(std::vector<Candidate>& candidates, double share) {
  const double total = sum_weights(candidates);
  double entropy = 0;
  for (Candidate& candidate : candidates) {
    const double probability = candidate.weight / total;
    candidate.key = -std::log(probability);
    entropy += probability * candidate.key;
  }
  for (Candidate& candidate : candidates) candidate.key = std::abs(candidate.key - entropy);
  keep_beginning(candidates, share * total);
}

void keep_min_p(std::vector<Candidate>& candidates, float ratio) {
  float largest = 0;
  for (const Candidate& candidate : candidates) largest = std::max(largest, candidate.weight);
  std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.weight < ratio * largest; });
}

int32_t draw(const std::vector<Candidate>& candidates, double uniform) {
  const double target = uniform * sum_weights(candidates);
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.weight;
    if (sum > target) return candidate.token;
  }
  return candidates.back().token;  // only by rounding
}

}  // namespace r1
