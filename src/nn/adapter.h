// Low-rank adapters (Hu et al., LoRA, 2021): an additional term of linear layers, chosen for runs of rows, so
// that requests with different adapters share a batch. Training and serving run the same code.
//   y = W x + scale · B (A x)      dB = scale · dYᵀ (X Aᵀ)   dA = scale · (dY B)ᵀ X   dX += scale · (dY B) A
// B · A is never formed. With a magnitude (Liu et al., DoRA, 2024), the bias left out of it:
//   y = g ∘ (W x + scale · B (A x)),  g = magnitude / |rows of W + scale · B A|, the norms without gradient
// (their section 4.3). In training A may see x with elements zeroed, the others divided by 1 - rate
// (dropout).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "nn/linear.h"

namespace r1 {

/// Memory of the adapter's owner.
struct LowRankTerm {
  const float* a = nullptr;  // [rank, inputs]
  const float* b = nullptr;  // [outputs, rank]
  int64_t rank = 0;
  float scale = 0;
  const float* magnitude = nullptr;  // [outputs], or none
  const float* norms = nullptr;      // [outputs], where there is a magnitude
  uint64_t number = 0;               // tells the terms of an adapter apart: dropout's
  // Where their gradients are summed, shaped alike; null: not trained.
  float* a_gradient = nullptr;
  float* b_gradient = nullptr;
  float* magnitude_gradient = nullptr;
};

/// out[i] = 1 / (1 - rate) where element first + i of the term's input is kept, else 0.
void dropout_factors(const Dropout& dropout, uint64_t term, int64_t first, int64_t count, float* out);

/// The terms of one adapter, by the weights that they add to (WeightId: whatever memory the model computes
/// with). A batch with an adapter that has a term for a weight that the model never runs as a layer is
/// refused (BatchPlan). Const while batches run.
class Adapter {
 public:
  /// Terms of one weight add up; one with a magnitude must be the only one.
  void add(const WeightId& weight, const LowRankTerm& term) {
    terms_[weight].push_back(term);
    mark_changed();
  }
  /// Empty: the adapter adds nothing to that weight.
  std::span<const LowRankTerm> find(const WeightId& weight) const {
    const auto found = terms_.find(weight);
    return found == terms_.end() ? std::span<const LowRankTerm>() : found->second;
  }

  /// By the weight that they add to.
  using Terms = std::unordered_map<WeightId, std::vector<LowRankTerm>, WeightIdHash>;
  const Terms& terms() const { return terms_; }

  const Dropout& dropout() const { return dropout_; }
  void set_dropout(const Dropout& dropout) {
    dropout_ = dropout;
    mark_changed();
  }

  /// Tells what this adapter computes from what others and its own earlier states computed: what is kept of
  /// its results is kept under its version. No other version has this address while someone holds it.
  std::shared_ptr<const void> version() const { return version_; }
  /// To be called when the memory of a term was changed.
  void mark_changed() { version_ = std::make_shared<char>(); }

 private:
  std::shared_ptr<const void> version_ = std::make_shared<char>();
  Terms terms_;
  Dropout dropout_;
};

/// Neighbouring rows of a batch with one adapter (null: none).
struct AdapterRun {
  int64_t rows = 0;
  const Adapter* adapter = nullptr;
};

/// Which adapter each row of a batch has: of all its rows, and of those whose logits are wanted (RowSet).
struct AdapterRows {
  std::span<const AdapterRun> all, wanted;
};

/// Whether the tape says that nobody reads the job's output, its adapters' backward included (a trained
/// magnitude does).
bool is_unread(const Context& context, const LinearJob& job);

/// Adds the adapters' terms to a job's output. Records them where the context has a tape. Rows of another
/// kind than the batch's (RowSet::other) get none.
void add_low_rank_terms(Context& context, const AdapterRows& rows, const LinearJob& job);

}  // namespace r1
