#include "tensor/dynamic_code.h"

#include <algorithm>
#include <cmath>

namespace r1 {

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
  for (size_t i = 0; i < middles_.size(); ++i) middles_[i] = 0.5F * (values_[i] + values_[i + 1]);
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
  // Middles below x; eight halvings of 256 places, without branches.
  int place = 0;
  for (int step = 128; step > 0; step /= 2) place += middles_[place + step - 1] < x ? step : 0;
  return static_cast<uint8_t>(place);
}

}  // namespace r1
