// The dynamic 8-bit data type: 256 values between -1 and 1 whose spacing grows with their size, for numbers
// of very different sizes under one scale. Source: Dettmers et al., 8-bit Optimizers via Block-wise
// Quantization (2021), section 2 and appendix F; for each decade 10^-6 … 10^0 the middles of 2^i (signed) or
// 2^(i+1) (unsigned) equal parts of [0.1, 1], and 0, 1.
#pragma once

#include <array>
#include <cstdint>

namespace r1 {

class DynamicCode {
 public:
  /// Signed: 127 values on either side of zero, and 1. Unsigned: 254 positive ones, zero and 1.
  static const DynamicCode& of_signed();
  static const DynamicCode& of_unsigned();

  float value(uint8_t code) const { return values_[code]; }
  /// The code of the nearest value; of two equally near the smaller value's. `x`: -1 to 1.
  uint8_t nearest(float x) const;

 private:
  explicit DynamicCode(bool is_signed);
  std::array<float, 256> values_{};   // ascending
  std::array<float, 256> middles_{};  // between value i and i + 1; last: infinity
  // nearest() looks up the least code of the numbers with these upper 16 bits, sign below: at most two of
  // the middles lie within such a cell.
  static constexpr uint32_t kCells = (0x3F80U + 1) * 2;  // 0x3F80: those of 1
  std::array<uint8_t, kCells> least_{};
};

}  // namespace r1
