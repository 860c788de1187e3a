#include "tensor/dynamic_code.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace r1 {
namespace {

constexpr uint32_t kSign = 0x80000000U;

}  // namespace

DynamicCode::DynamicCode(bool is_signed) {
  constexpr int kDecades = 7;
  size_t count = 0;
  values_[count++] = 0;
  values_[count++] = 1;
  for (int decade = 0; decade < kDecades; ++decade) {
    const int parts = 1 << (is_signed ? decade : decade + 1);
    const double size = std::pow(10.0, decade - (kDecades - 1));
    for (int i = 0; i < parts; ++i) {
      const double middle = 0.1 + 0.9 * (i + 0.5) / parts;
      values_[count++] = static_cast<float>(size * middle);
      if (is_signed) values_[count++] = static_cast<float>(-size * middle);
    }
  }
  std::sort(values_.begin(), values_.end());
  for (size_t i = 0; i + 1 < values_.size(); ++i) middles_[i] = 0.5F * (values_[i] + values_[i + 1]);
  middles_.back() = std::numeric_limits<float>::infinity();
  for (uint32_t cell = 0; cell < kCells; ++cell) {
    const bool negative = (cell & 1) != 0;
    // Of a cell's numbers the one nearest to zero is the least, or of negative ones the farthest.
    const uint32_t magnitude = (cell >> 1) << 16 | (negative ? 0xFFFFU : 0U);
    const float least = std::bit_cast<float>(magnitude | (negative ? kSign : 0U));
    least_[cell] =
        static_cast<uint8_t>(std::lower_bound(middles_.begin(), middles_.end(), least) - middles_.begin());
  }
}

const DynamicCode& DynamicCode::of_signed() {
  static const DynamicCode kCode(true);
  return kCode;
}

const DynamicCode& DynamicCode::of_unsigned() {
  static const DynamicCode kCode(false);
  return kCode;
}

uint8_t DynamicCode::nearest(float x) const {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t upper = std::min((bits & ~kSign) >> 16, kCells / 2 - 1);
  size_t place = least_[upper << 1 | bits >> 31];
  place += middles_[place] < x ? 1 : 0;
  place += middles_[place] < x ? 1 : 0;
  return static_cast<uint8_t>(place);
}

}  // namespace r1
