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
  bool prefix_reuse = true;
  KnownTokens known_tokens{};  // what may be generated: known_tokens(vocabulary, rows); left out: every row
  const Adapter* adapter = nullptr;  // of requests that bring none (nn/adapter.h); not owned
};

}  // namespace r1
