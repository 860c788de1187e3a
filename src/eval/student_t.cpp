#include "eval/student_t.h"

#include <cmath>
#include <numbers>

namespace r1::eval {

double student_t_within(double t, int64_t degrees) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double square = std::cos(angle) * std::cos(angle);
  const bool odd = degrees % 2 == 1;
  // The series of powers of cos²: term j + 1 is term j · cos² · (2j + 2)/(2j + 3) for odd degrees, (2j + 1)/(2j + 2) for even.
  const int64_t terms = odd ? (degrees - 1) / 2 : degrees / 2;
  double term = odd ? std::cos(angle) : 1, sum = 0;
  for (int64_t j = 0; j < terms; ++j) {
    sum += term;
    const auto twice = static_cast<double>(2 * j);
    term *= square * (odd ? (twice + 2) / (twice + 3) : (twice + 1) / (twice + 2));
  }
  const double series = std::sin(angle) * sum;
  return odd ? 2 / std::numbers::pi * (angle + series) : series;
}

double student_t_quantile(double probability, int64_t degrees) {
  double low = 0, high = 1;
  while (student_t_within(high, degrees) < probability) high *= 2;
  constexpr int kHalvings = 100;
  for (int i = 0; i < kHalvings && high - low > 1e-13 * high; ++i) {
    const double middle = (low + high) / 2;
    (student_t_within(middle, degrees) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace r1::eval
