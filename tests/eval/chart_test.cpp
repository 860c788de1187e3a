#include "eval/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace r1::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LineChart, DrawsEachLineFromTheLeftToTheLargestStep) {
  const std::array<ChartLine, 2> lines{{{"pass", {{0, 0}, {10, 1}}}, {"cons", {{5, 0.5}}}}};
  const std::string chart = line_chart("a < b", lines);
  EXPECT_THAT(chart, HasSubstr("<title>a &lt; b</title>"));
  EXPECT_THAT(chart, HasSubstr(R"(<polyline class="line pass" points="38.0,180.0 370.0,10.0 "/>)"));
  EXPECT_THAT(chart, HasSubstr(R"(<polyline class="line cons" points="204.0,95.0 "/>)"));
  EXPECT_THAT(chart, HasSubstr("step 10"));
}

TEST(LineChart, LeavesOutWhatIsNoNumberAndIsEmptyWithoutALine) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::array<ChartLine, 1> holed{{{"pass", {{0, 1}, {1, nan}, {2, 3}}}}};
  EXPECT_THAT(line_chart("t", holed), Not(HasSubstr("nan")));
  const std::array<ChartLine, 1> single{{{"pass", {{0, 1}, {1, nan}}}}};
  EXPECT_EQ(line_chart("t", single), "");
  EXPECT_EQ(line_chart("t", {}), "");
}

TEST(LineChart, HasAnAxisForConstantsAndNegativeValues) {
  const std::array<ChartLine, 1> zero{{{"pass", {{0, 0}, {4, 0}}}}};
  EXPECT_THAT(line_chart("t", zero), HasSubstr("38.0,180.0 370.0,180.0"));
  const std::array<ChartLine, 1> below{{{"pass", {{0, -2}, {4, 0}}}}};
  EXPECT_THAT(line_chart("t", below), HasSubstr("38.0,180.0 370.0,10.0"));
}

}  // namespace
}  // namespace r1::eval
