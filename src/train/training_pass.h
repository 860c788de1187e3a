// One forward and backward pass of a model over one TrainingBatch.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "nn/tape.h"
#include "train/sample.h"

namespace r1 {

/// What is kept between forward and backward.
enum class ActivationStorage {
  layer_inputs,  // layers are run again; the least memory
  everything,    // for small models: a third less to compute
};

/// Keys and values of a batch's sequences, one layer at a time, grown as needed.
class TrainingCache {
 public:
  explicit TrainingCache(const Decoder& model) : model_(model) {}
  KvCache& with_blocks(int64_t blocks);

 private:
  const Decoder& model_;
  std::unique_ptr<KvCache> cache_;
};

/// The constructor runs the forward pass. All memory is the context's arena's, given back by the destructor:
/// passes nest like scopes. The batch must outlive the pass. `adapter`: of all its rows, or null. One thread.
class TrainingPass {
 public:
  TrainingPass(Context& context, const Decoder& model, const WeightGradients& gradients, TrainingCache& cache,
               const TrainingBatch& batch, ActivationStorage storage, const Adapter* adapter = nullptr);
  ~TrainingPass();

  /// The last layer's normed rows, [rows, hidden].
  const float* hidden() const { return normed_; }

  /// log p(target) of each row; 0 where the row has none. [rows]
  std::vector<float> log_probs();

  /// For a loss whose derivative by the log-probability of row r is coefficients[r]: adds its gradient by
  /// every trained weight. Writes the log-probabilities too where log_probs is not null. Once, instead of
  /// hidden_tape and finish_backward.
  void backward(std::span<const float> coefficients, float* log_probs = nullptr);

  /// For other losses: write the gradient of hidden() to this tape (and what records it), then finish.
  Tape& hidden_tape();
  void finish_backward();

 private:
  struct State;
  std::unique_ptr<State> state_;
  const float* normed_ = nullptr;
};

}  // namespace r1
