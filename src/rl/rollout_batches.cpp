#include "rl/rollout_batches.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

#include "base/random.h"

namespace r1::rl {
namespace {

bool is_learnt(const ScoredRollouts& scored, size_t index, Overlong overlong) {
  const bool masked = overlong == Overlong::mask && !scored.rollouts[index].answer.finished;
  return std::isfinite(scored.rewards[index]) && !masked;
}

/// Each row predicts the token behind it; rows of the prompt but the last one predict nothing that counts. The answer's last
/// token predicts nothing and has no row.
void add_sequence(const Rollout& rollout, double advantage, bool is_learnt, TrainingBatch& batch) {
  const std::vector<int32_t>& prompt = rollout.question->prompt;
  PackedSequence sequence;
  sequence.first_row = batch.rows();
  sequence.rows = std::ssize(prompt) + std::ssize(rollout.tokens) - 1;
  sequence.label = advantage;
  batch.tokens.insert(batch.tokens.end(), prompt.begin(), prompt.end());
  batch.tokens.insert(batch.tokens.end(), rollout.tokens.begin(), rollout.tokens.end() - 1);
  const size_t before = prompt.size() - 1;
  batch.targets.insert(batch.targets.end(), before, -1);
  batch.sampled_log_probs.insert(batch.sampled_log_probs.end(), before, 0.0F);
  batch.sampled_log_probs.insert(batch.sampled_log_probs.end(), rollout.log_probs.begin(),
                                 rollout.log_probs.end());
  if (is_learnt) {
    batch.targets.insert(batch.targets.end(), rollout.tokens.begin(), rollout.tokens.end());
  } else {
    batch.targets.insert(batch.targets.end(), rollout.tokens.size(), -1);
  }
  if (!rollout.kept.empty()) {
    batch.kept.resize(static_cast<size_t>(sequence.first_row) + before);
    batch.kept.insert(batch.kept.end(), rollout.kept.begin(), rollout.kept.end());
  }
  batch.sequences.push_back(sequence);
}

}  // namespace

std::vector<std::vector<size_t>> deal(size_t count, int64_t parts, uint64_t seed) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random_bits(seed, i) % i]);
  const size_t wanted = std::min(static_cast<size_t>(parts), count);
  std::vector<std::vector<size_t>> dealt(wanted);
  for (size_t i = 0; i < count; ++i) dealt[i * wanted / count].push_back(order[i]);
  return dealt;
}

std::vector<TrainingBatch> make_batches(const ScoredRollouts& scored, std::span<const size_t> part,
                                        const TrainingOptions& options, int64_t known, float temperature) {
  std::vector<TrainingBatch> batches;
  for (const size_t index : part) {
    const Rollout& rollout = scored.rollouts[index];
    if (rollout.tokens.empty()) continue;
    const int64_t rows = std::ssize(rollout.question->prompt) + std::ssize(rollout.tokens) - 1;
    if (batches.empty() || batches.back().rows() + rows > options.batch_tokens) {
      batches.emplace_back();
      batches.back().temperature = temperature;
      batches.back().known_tokens = known;
    }
    add_sequence(rollout, scored.advantages[index], is_learnt(scored, index, options.overlong),
                 batches.back());
  }
  for (TrainingBatch& batch : batches) {
    if (!batch.kept.empty()) batch.kept.resize(batch.tokens.size());
  }
  return batches;
}

int64_t learnt_sequences(const TrainingBatch& batch) {
  int64_t count = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    const auto first = batch.targets.begin() + sequence.first_row;
    count += std::any_of(first, first + sequence.rows, [](int32_t target) { return target >= 0; }) ? 1 : 0;
  }
  return count;
}

int64_t keep_informative(ScoredRollouts& scored) {
  std::map<int64_t, std::pair<double, double>> range;  // of the rewards of each group
  for (size_t i = 0; i < scored.rewards.size(); ++i) {
    const double reward = scored.rewards[i];
    if (!std::isfinite(reward)) continue;
    const auto [found, is_new] = range.try_emplace(scored.rollouts[i].group, reward, reward);
    found->second.first = std::min(found->second.first, reward);
    found->second.second = std::max(found->second.second, reward);
  }
  std::erase_if(range, [](const auto& group) { return group.second.first == group.second.second; });
  size_t kept = 0;
  for (size_t i = 0; i < scored.rollouts.size(); ++i) {
    if (!range.contains(scored.rollouts[i].group)) continue;
    if (kept != i) {
      scored.rollouts[kept] = std::move(scored.rollouts[i]);
      scored.rewards[kept] = scored.rewards[i];
      for (std::vector<double>& part : scored.parts) part[kept] = part[i];
    }
    ++kept;
  }
  scored.rollouts.resize(kept);
  scored.rewards.resize(kept);
  for (std::vector<double>& part : scored.parts) part.resize(kept);
  return std::ssize(range);
}

void append(ScoredRollouts& to, ScoredRollouts from) {
  const auto move_behind = [](auto& target, auto& source) {
    target.insert(target.end(), std::make_move_iterator(source.begin()),
                  std::make_move_iterator(source.end()));
  };
  move_behind(to.rollouts, from.rollouts);
  move_behind(to.rewards, from.rewards);
  for (size_t i = 0; i < to.parts.size(); ++i) move_behind(to.parts[i], from.parts[i]);
}

}  // namespace r1::rl
