// Low-rank adapters (Hu et al., LoRA, 2021): an additional term of linear layers, chosen for runs of rows, so
// that requests with different adapters share a batch. Training and serving run the same code.
//   y = W x + scale · B (A x)      dB = scale · dYᵀ (X Aᵀ)   dA = scale · (dY B)ᵀ X   dX += scale · (dY B) A
// B · A is never formed.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "nn/linear.h"

namespace r1 {

/// Memory of the adapter's owner. A trained term is found by Tape through the addresses a and b.
struct LowRankTerm {
  const float* a = nullptr;  // [rank, inputs]
  const float* b = nullptr;  // [outputs, rank]
  int64_t rank = 0;
  float scale = 0;
};

/// The terms of one adapter, by the weights that they add to. Const while batches run.
class Adapter {
 public:
  void add(const kernels::WeightMatrix& weight, const LowRankTerm& term) { terms_[weight.data] = term; }
  const LowRankTerm* find(const kernels::WeightMatrix& weight) const {
    const auto found = terms_.find(weight.data);
    return found == terms_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<const std::byte*, LowRankTerm> terms_;
};

/// Neighbouring rows of a batch with one adapter (null: none).
struct AdapterRun {
  int64_t rows = 0;
  const Adapter* adapter = nullptr;
};

/// Which adapter each row of a batch has: of all its rows, and of those whose logits are wanted (the rows
/// that the last layer goes on with). An op tells them apart by their number.
struct AdapterRows {
  std::span<const AdapterRun> all, wanted;
  int64_t all_rows = 0, wanted_rows = 0;
};

/// Adds the adapters' terms to a job's output. Records them where the context has a tape.
void add_low_rank_terms(Context& context, const AdapterRows& rows, const LinearJob& job);

}  // namespace r1
