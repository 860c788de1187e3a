// What all layers need to know of a batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"
#include "nn/adapter.h"
#include "nn/context.h"

namespace r1 {

/// Rows of a batch that go through a layer: all of them, or (in the last layer) those whose logits are
/// wanted.
struct ActiveRows {
  int64_t count = 0;
  RowSet set = RowSet::all;
  const int32_t* rows = nullptr;            // device, ascending; null: row i is i
  std::span<const SequenceRows> sequences;  // runs of neighbouring rows of one sequence

  bool is_all() const { return set == RowSet::all; }
};

/// Host memory is the context's arena's, or the batch's; device memory lies where the pass is.
struct BatchPlan {
  int64_t rows = 0;
  std::span<const int32_t> positions;     // [rows]
  std::span<const int32_t> cache_blocks;  // [rows]: where a row's key and value go
  std::span<const int32_t> cache_tokens;  // [rows]: … and which token of that block it is
  std::span<const int32_t> wanted_rows;   // of the batch
  const AdapterRows* adapters = nullptr;  // null: no row has one

  // On the device (place_plan).
  CachePlaces places;
  RopeTable rope;
  ActiveRows all, wanted;
};

/// Error(invalid_argument) for what a model with these layers and tokens cannot run over this cache.
void check_batch(const Batch& batch, const KvCache& cache, const std::vector<KvLayerShape>& layers,
                 int64_t vocabulary);

/// The plan of a checked batch, on the context's device.
BatchPlan make_plan(Context& context, const Batch& batch, const RopeFrequencies& rope);

/// Puts the device's part of the plan (again) where the context now computes.
void place_plan(Context& context, const RopeFrequencies& rope, BatchPlan& plan);

}  // namespace r1
