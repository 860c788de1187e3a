// From scored answers to the batches that a policy learns from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rl/scored_rollouts.h"
#include "train/options.h"
#include "train/sample.h"

namespace r1::rl {

/// The numbers 0 … count - 1 in an order drawn by `seed`, dealt into `parts` of nearly equal size; fewer parts than asked for
/// where there are fewer numbers.
std::vector<std::vector<size_t>> deal(size_t count, int64_t parts, uint64_t seed);

/// The answers numbered `part` in batches of at most options.batch_tokens rows (one answer may be more), in their order.
/// Answers without a reward, and with Overlong::mask those that were cut off, have no targets. `known`, `temperature`: of the
/// sampled distribution (TrainingBatch).
std::vector<TrainingBatch> make_batches(const ScoredRollouts& scored, std::span<const size_t> part,
                                        const TrainingOptions& options, int64_t known, float temperature);

/// Sequences with a target.
int64_t learnt_sequences(const TrainingBatch& batch);

/// Removes the groups whose rewards are all equal, and those without any; gives the number of groups that are left.
int64_t keep_informative(ScoredRollouts& scored);
void append(ScoredRollouts& to, ScoredRollouts from);

}  // namespace r1::rl
