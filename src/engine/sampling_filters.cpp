#include "engine/sampling_filters.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace r1 {
namespace {

bool goes_before(const Candidate& a, const Candidate& b) {
  return a.key != b.key ? a.key < b.key : a.token < b.token;
}

/// Keeps the shortest beginning, in the order of keys, whose weights reach `target`; at least one candidate.
/// A quickselect that follows the side where the target lies: no sort.
void keep_beginning(std::vector<Candidate>& candidates, double target) {
  if (candidates.size() < 2) return;
  target = std::max(target, std::numeric_limits<double>::min());
  std::vector<Candidate> order = candidates;
  auto low = order.begin();  // all in front of it are kept
  auto high = order.end();   // all from here on are not
  double before = 0;         // weights in front of low
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
  if (low == order.end()) return;
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
