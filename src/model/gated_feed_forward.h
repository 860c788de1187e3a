// The dense feed-forward of Llama and its kin (Shazeer, GLU Variants Improve Transformer, 2020: SwiGLU).
#pragma once

#include "nn/context.h"

namespace r1 {

/// down(silu(gate(x)) · up(x)).
struct GatedFeedForward {
  Linear gate, up, down;

  /// out [rows, hidden] of normed rows, made for gate and up.
  void run(Context& context, const Activations& normed, float* out) const;
};

}  // namespace r1
