// The body of src/tensor/codec_assess*.cpp, compiled once for each instruction set: everything here has
// internal linkage, and nothing from other headers is used.
#pragma once

#include "tensor/codec_assess.h"

namespace r1::codec {
namespace {

/// Eight floats, worked on side by side (an extension of GCC and Clang, for whatever vectors the machine
/// has).
using Lanes = float __attribute__((vector_size(32)));

template <int kSize>
Moments assess(const float* x_values, const float* w_values, const AssessedLine& line) {
  const Lanes low = Lanes{} + line.q_low;
  const Lanes high = Lanes{} + line.q_high;
  Lanes error{};
  Lanes wq{};
  Lanes wqq{};
  Lanes wxq{};
  for (int i = 0; i < kSize; i += 8) {
    Lanes x;
    Lanes w;
    __builtin_memcpy(&x, x_values + i, sizeof(x));
    __builtin_memcpy(&w, w_values + i, sizeof(w));
    const Lanes shifted = x + line.minimum;
    Lanes q = shifted * line.inverse;
    q = q < low ? low : q;
    q = q > high ? high : q;
    q = (q + kRoundingShift) - kRoundingShift;
    const Lanes difference = shifted - line.scale * q;
    const Lanes weighted_q = w * q;
    error += w * difference * difference;
    wq += weighted_q;
    wqq += weighted_q * q;
    wxq += weighted_q * x;
  }
  const Lanes sums[4] = {error, wq, wqq, wxq};
  float totals[4];
  for (int k = 0; k < 4; ++k) {
    const Lanes& lanes = sums[k];
    totals[k] =
        ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  }
  return {totals[0], totals[1], totals[2], totals[3]};
}

}  // namespace
}  // namespace r1::codec
