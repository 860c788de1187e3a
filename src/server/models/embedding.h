// A text as one vector: the mean of its tokens' last hidden states.
#pragma once

#include <cstdint>
#include <vector>

#include "model/sequence_cache.h"

namespace r1::server {

/// The hidden states are those behind the last layer and the final norm, of all tokens alike; the mean is
/// scaled to length 1. Computed a piece at a time, so that others can have a turn between two pieces. One
/// thread.
class EmbeddingPass {
 public:
  /// `tokens`: at least one. Both references must outlive the pass.
  EmbeddingPass(const Model& model, Context& context, std::vector<int32_t> tokens, DType key_dtype,
                DType value_dtype);

  /// Computes the next piece; true when it was the last.
  bool step();
  /// [hidden], after the last step.
  std::vector<float> result() const;

 private:
  const Model& model_;
  Context& context_;
  const std::vector<int32_t> tokens_;
  SequenceCache sequence_;
  int64_t done_ = 0;
  std::vector<double> sum_;
};

}  // namespace r1::server
