// Inner header: the search for the scales and minimums of a block that make its weighted squared error small.
// One engine for every type that is written; the types differ only in the numbers of BlockForm. The method is
// described in docs/quantisation.md.
#pragma once

#include <cstdint>
#include <span>

namespace r1::codec {

/// What a block can hold: w = (d · s_j) · q − (dmin · m_j) for the weights of sub-block j.
struct BlockForm {
  int size;       // weights in a sub-block: 16 or 32
  int count;      // sub-blocks in a block: size · count = 32 or 256
  int q_low;      // stored values, after subtraction of the type's offset
  int q_high;     //
  int scale_low;  // sub-block scales s_j; 1 … 1 for a block with one scale only
  int scale_high;
  int minimum_high;  // sub-block minimums m_j: 0 … minimum_high; 0: the type has no minimums
};

/// The result of the search. d and dmin are binary16 numbers.
struct BlockFit {
  uint16_t d = 0;
  uint16_t dmin = 0;
  int scales[16] = {};
  int minimums[16] = {};
  int8_t q[256] = {};
};

/// Finds the fit of `x` (size · count values, magnitudes below 1e9). `importance`: a non-negative weight for
/// the squared error of each value. Deterministic: the same on every machine. Throws Error(invalid_argument)
/// when the values are too large for a binary16 scale or a weight is negative or not finite.
BlockFit fit_block(const BlockForm& form, std::span<const float> x, std::span<const float> importance);

}  // namespace r1::codec
