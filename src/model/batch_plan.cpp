#include "model/batch_plan.h"

#include <algorithm>

#include "base/error.h"
#include "nn/linear.h"
#include "nn/rope.h"

namespace r1 {
namespace {

constexpr int64_t kBlockTokens = KvCache::kBlockTokens;

// One run for each run of neighbouring wanted rows of a sequence.
std::span<const SequenceRows> wanted_sequences(Context& context, const Batch& batch) {
  auto* runs = context.arena().allocate_host<SequenceRows>(std::ssize(batch.output_rows));
  size_t count = 0;
  size_t wanted = 0;
  int64_t first_row = 0;
  for (const SequenceSlice& slice : batch.slices) {
    const int64_t end = first_row + slice.rows;
    for (; wanted < batch.output_rows.size() && batch.output_rows[wanted] < end; ++wanted) {
      const bool neighbour = count > 0 && wanted > 0 && batch.output_rows[wanted - 1] >= first_row &&
                             batch.output_rows[wanted] == batch.output_rows[wanted - 1] + 1;
      if (neighbour) {
        ++runs[count - 1].rows;
        continue;
      }
      runs[count++] = {1, slice.first_position + batch.output_rows[wanted] - first_row, slice.blocks.data()};
    }
    first_row = end;
  }
  return {runs, count};
}

// Which rows have which adapter; null when none has one.
const AdapterRows* make_adapter_rows(Context& context, const Batch& batch) {
  if (std::all_of(batch.slices.begin(), batch.slices.end(),
                  [](const SequenceSlice& slice) { return slice.adapter == nullptr; })) {
    return nullptr;
  }
  Arena& arena = context.arena();
  const auto count = static_cast<int64_t>(batch.slices.size());
  AdapterRun* all = arena.allocate_host<AdapterRun>(count);
  AdapterRun* wanted = arena.allocate_host<AdapterRun>(count);
  auto* rows = arena.allocate_host<AdapterRows>(1);
  *rows = {};
  size_t next = 0;  // of the wanted rows
  int64_t all_rows = 0;
  size_t runs = 0;
  for (int64_t s = 0; s < count; ++s) {
    const SequenceSlice& slice = batch.slices[s];
    all_rows += slice.rows;
    const size_t before = next;
    while (next < batch.output_rows.size() && batch.output_rows[next] < all_rows) ++next;
    const auto found = static_cast<int64_t>(next - before);
    // Neighbours with the same adapter are one run.
    if (runs > 0 && all[runs - 1].adapter == slice.adapter) {
      all[runs - 1].rows += slice.rows;
      wanted[runs - 1].rows += found;
    } else {
      all[runs] = {slice.rows, slice.adapter};
      wanted[runs] = {found, slice.adapter};
      ++runs;
    }
  }
  rows->all = {all, runs};
  rows->wanted = {wanted, runs};
  return rows;
}

}  // namespace

void check_batch(const Batch& batch, const KvCache& cache, const std::vector<KvLayerShape>& layers,
                 int64_t vocabulary) {
  if (cache.layers() != static_cast<int64_t>(layers.size())) {
    throw_error(ErrorKind::invalid_argument, "forward: cache: expected {} layers, found {}", layers.size(),
                cache.layers());
  }
  const auto rows = static_cast<int64_t>(batch.tokens.size());
  for (int32_t token : batch.tokens) {
    if (token < 0 || token >= vocabulary) {
      throw_error(ErrorKind::invalid_argument, "forward: token: expected 0 to {}, found {}", vocabulary - 1,
                  token);
    }
  }
  int64_t sum = 0;
  for (const SequenceSlice& slice : batch.slices) {
    if (slice.rows <= 0 || slice.first_position < 0 || slice.first_position + slice.rows > INT32_MAX) {
      throw_error(ErrorKind::invalid_argument, "forward: slice of {} rows at position {}", slice.rows,
                  slice.first_position);
    }
    sum += slice.rows;
    const int64_t needed = (slice.first_position + slice.rows + kBlockTokens - 1) / kBlockTokens;
    if (static_cast<int64_t>(slice.blocks.size()) < needed) {
      throw_error(ErrorKind::invalid_argument, "forward: slice: expected {} cache blocks, found {}", needed,
                  slice.blocks.size());
    }
    for (int64_t i = 0; i < needed; ++i) {
      if (slice.blocks[i] < 0 || slice.blocks[i] >= cache.blocks()) {
        throw_error(ErrorKind::invalid_argument, "forward: cache block: expected 0 to {}, found {}",
                    cache.blocks() - 1, slice.blocks[i]);
      }
    }
  }
  if (sum != rows) {
    throw_error(ErrorKind::invalid_argument, "forward: slices hold {} rows, the batch {}", sum, rows);
  }
  int64_t before = -1;
  for (int32_t row : batch.output_rows) {
    if (row <= before || row >= rows) {
      throw_error(ErrorKind::invalid_argument,
                  "forward: output rows: expected ascending ones below {}, found {} after {}", rows, row,
                  before);
    }
    before = row;
  }
}

BatchPlan make_plan(Context& context, const Batch& batch, const RopeFrequencies& rope) {
  Arena& arena = context.arena();
  BatchPlan plan;
  plan.rows = std::ssize(batch.tokens);
  int32_t* positions = arena.allocate_host<int32_t>(plan.rows);
  int32_t* blocks = arena.allocate_host<int32_t>(plan.rows);
  int32_t* tokens = arena.allocate_host<int32_t>(plan.rows);
  auto* sequences = arena.allocate_host<SequenceRows>(std::ssize(batch.slices));
  int64_t row = 0;
  for (size_t s = 0; s < batch.slices.size(); ++s) {
    const SequenceSlice& slice = batch.slices[s];
    sequences[s] = {slice.rows, slice.first_position, slice.blocks.data()};
    for (int64_t i = 0; i < slice.rows; ++i, ++row) {
      const int64_t position = slice.first_position + i;
      positions[row] = static_cast<int32_t>(position);
      blocks[row] = slice.blocks[static_cast<size_t>(position / kBlockTokens)];
      tokens[row] = static_cast<int32_t>(position % kBlockTokens);
    }
  }
  const auto count = static_cast<size_t>(plan.rows);
  plan.positions = {positions, count};
  plan.cache_blocks = {blocks, count};
  plan.cache_tokens = {tokens, count};
  plan.wanted_rows = batch.output_rows;
  plan.adapters = make_adapter_rows(context, batch);
  plan.all = {plan.rows, RowSet::all, nullptr, {sequences, batch.slices.size()}};
  plan.wanted = plan.all;
  if (std::ssize(batch.output_rows) != plan.rows) {
    plan.wanted = {std::ssize(batch.output_rows), RowSet::wanted, nullptr, wanted_sequences(context, batch)};
  }
  place_plan(context, rope, plan);
  return plan;
}

void place_plan(Context& context, const RopeFrequencies& rope, BatchPlan& plan) {
  plan.places = {upload(context, plan.cache_blocks), upload(context, plan.cache_tokens)};
  plan.rope = make_rope_table(context, rope, plan.positions);
  if (!plan.wanted.is_all()) plan.wanted.rows = upload(context, plan.wanted_rows);
}

}  // namespace r1
