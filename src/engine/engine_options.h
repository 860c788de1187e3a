// How an Engine is set up.
#pragma once

#include <cstdint>

#include "engine/known_tokens.h"
#include "tensor/dtype.h"

namespace r1 {

class Adapter;

struct EngineOptions {
  int64_t context_length = 0;  // tokens a sequence may have; 0: the model's, or what kv_bytes hold if fewer
  int64_t kv_bytes = 0;        // memory for keys and values; 0: enough for one full context
  DType key_dtype = DType::f16;
  DType value_dtype = DType::f16;
  int64_t batch_tokens = 512;  // tokens a forward pass takes at most, ≥ 2 (prefill chunk)
  int64_t sequences = 64;      // running at once at most
  int64_t owner_tokens =
      16;  // of a pass that an owner gets while another owner's answer is generated, at most
  bool prefix_reuse = true;
  KnownTokens known_tokens{};  // what may be generated: known_tokens(vocabulary, rows); left out: every row
  /// For rollouts: reported log-probabilities are those of a trainer's pass (train/training_pass.h) over the same
  /// tokens in the same arithmetic, bit for bit. The cache has the trainer's type, whatever the types above say;
  /// a Context with Arithmetic::fast, which no trainer has, is refused.
  bool for_training = false;
  const Adapter* adapter = nullptr;  // of requests that bring none (nn/adapter.h); not owned
};

}  // namespace r1
