// The backward pass: what each op left behind to be run in reverse, and the gradients of its buffers.
//
// Goals: an op records one entry, whatever its size; gradients of buffers are found by the buffer's address,
// those of weights by WeightId; nothing is computed for weights that are not trained.
// Non-goals: second derivatives, gradients of scalars, graphs other than "last recorded, first run".
//
// A context that has a tape (TapeScope) records. While it does, the arena must not give memory back
// (Arena::Hold): entries point at forward buffers. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "nn/weight.h"

namespace r1 {

class Arena;
class Context;

class Tape {
 public:
  explicit Tape(const WeightGradients& weights) : weights_(&weights) {}

  void record(std::function<void(Context&)> backward) { entries_.push_back(std::move(backward)); }
  /// Runs the entries, last first, and forgets them. The context must not record meanwhile.
  void run_backwards(Context& context);

  /// Gradient of the forward buffer that `values` points into; null: no op that ran backwards used it.
  float* find(const float* values) const;

  /// For an op that adds to its input's gradient: where, and whether something is there already. If not, the
  /// op must write all `count` floats. Memory from the arena.
  struct Target {
    float* data = nullptr;
    bool accumulate = false;
  };
  Target add_to(Arena& arena, const float* values, int64_t count);
  /// The same, filled with zeros where nothing was there: for ops that write parts.
  float* add_to_zeroed(Arena& arena, const float* values, int64_t count);

  /// The forward buffer is about to get another meaning (a buffer that is written twice): its gradient counts
  /// as not written any more. Does nothing for a part of a buffer: `count` floats must be all of it.
  void forget(const float* values, int64_t count);

  /// A layer that runs again for its tape alone: nobody reads what its last op writes.
  void set_rerun(bool rerun) { rerun_ = rerun; }
  bool rerun() const { return rerun_; }
  /// Linear layers that write there until this is taken back (null) only record: their output is not read.
  void set_unread(const float* output) { unread_ = output; }
  bool is_unread(const float* output) const { return unread_ != nullptr && unread_ == output; }

  /// Where the weight's gradient is summed; null: the weight is frozen.
  float* weight_gradient(const WeightId& id) const {
    const auto found = weights_->find(id);
    return found == weights_->end() ? nullptr : found->second;
  }

 private:
  struct Buffer {
    int64_t count = 0;
    float* gradient = nullptr;
    bool written = false;
  };
  Buffer* buffer_of(const float* values, int64_t* offset);

  const WeightGradients* weights_;
  bool rerun_ = false;
  const float* unread_ = nullptr;
  std::vector<std::function<void(Context&)>> entries_;
  std::map<const float*, Buffer> buffers_;
};

}  // namespace r1
