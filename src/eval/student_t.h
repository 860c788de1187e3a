// Student's t distribution, for intervals of means.
#pragma once

#include <cstdint>

namespace r1::eval {

/// P(|T| <= t) with `degrees` degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). t >= 0, degrees >= 1.
double student_t_within(double t, int64_t degrees);

/// The t with P(|T| <= t) = `probability`, to about 12 digits. 0 < probability < 1, degrees >= 1.
double student_t_quantile(double probability, int64_t degrees);

}  // namespace r1::eval
