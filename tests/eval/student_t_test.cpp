#include "eval/student_t.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace r1::eval {
namespace {

TEST(StudentT, QuantilesAreThoseOfPrintedTables) {
  // Two-sided 95% and 99%: Abramowitz and Stegun, table 26.10.
  const struct {
    int64_t degrees;
    double t95, t99;
  } rows[] = {{1, 12.706, 63.657}, {2, 4.303, 9.925},  {3, 3.182, 5.841},  {4, 2.776, 4.604},
              {5, 2.571, 4.032},   {10, 2.228, 3.169}, {29, 2.045, 2.756}, {30, 2.042, 2.750},
              {60, 2.000, 2.660},  {120, 1.980, 2.617}};
  for (const auto& row : rows) {
    EXPECT_NEAR(student_t_quantile(0.95, row.degrees), row.t95, 6e-4) << row.degrees;
    EXPECT_NEAR(student_t_quantile(0.99, row.degrees), row.t99, 6e-4) << row.degrees;
  }
}

TEST(StudentT, ClosedFormsAndTheNormalLimit) {
  // One degree is Cauchy's distribution, two have P = t/√(2 + t²).
  for (const double t : {0.1, 1.0, 7.0}) {
    EXPECT_NEAR(student_t_within(t, 1), 2 / std::numbers::pi * std::atan(t), 1e-14);
    EXPECT_NEAR(student_t_within(t, 2), t / std::sqrt(2 + t * t), 1e-14);
  }
  EXPECT_NEAR(student_t_quantile(0.95, 14'041), 1.959963984540054, 3e-4);
  EXPECT_NEAR(student_t_within(1.959963984540054, 1'000'000), 0.95, 1e-6);
}

}  // namespace
}  // namespace r1::eval
