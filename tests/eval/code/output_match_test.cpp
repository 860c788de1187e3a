#include "eval/code/output_match.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace r1::eval {
namespace {

TEST(OutputMatch, LinesWithoutTheirEnds) {
  EXPECT_TRUE(same_output("1 2\n3\n", "1 2\n3"));
  EXPECT_TRUE(same_output("  1 2 \r\n\t3\n\n\n", "1 2\n3"));
  EXPECT_TRUE(same_output("", "\n"));
  EXPECT_TRUE(same_output("Yes", "Yes\n"));
  EXPECT_FALSE(same_output("yes", "Yes"));
  EXPECT_FALSE(same_output("1\n2", "1 2"));
  EXPECT_FALSE(same_output("1\n\n2", "1\n2"));  // an empty line in the middle counts
  EXPECT_FALSE(same_output("1", ""));
  EXPECT_FALSE(same_output("", "1"));
  EXPECT_FALSE(same_output("a  b", "a b"));  // neither equal as text nor numbers
}

TEST(OutputMatch, ExactDecimals) {
  EXPECT_TRUE(same_output("1.0  2", "1 2.00"));
  EXPECT_TRUE(same_output("1e2", "100"));
  EXPECT_TRUE(same_output("1E+2", "100.0"));
  EXPECT_TRUE(same_output(".5", "0.50"));
  EXPECT_TRUE(same_output("5.", "5"));
  EXPECT_TRUE(same_output("-0", "0"));
  EXPECT_TRUE(same_output("+7", "007"));
  EXPECT_TRUE(same_output("1_000", "1000"));  // Python's Decimal takes it
  EXPECT_TRUE(same_output("inf", "Infinity"));
  EXPECT_TRUE(same_output("1" + std::string(5000, '0'), "1e5000"));
  EXPECT_TRUE(same_output("0e999999999", "0"));
  EXPECT_FALSE(same_output("0.30000000000000004", "0.3"));  // exact, not near
  EXPECT_FALSE(same_output("nan", "NaN"));
  EXPECT_FALSE(same_output("-inf", "inf"));
  EXPECT_FALSE(same_output("1.0 2", "1 2 3"));
  EXPECT_FALSE(same_output("1.0 x", "1 x"));  // a line of Decimals or of text
  EXPECT_FALSE(same_output("1e", "1"));
  EXPECT_FALSE(same_output("1.2.3", "1.2.30"));
  EXPECT_FALSE(same_output("0x10", "16"));
}

TEST(OutputMatch, AMillionTokensOfDigitsTakeNoTime) {
  const std::string digits(1'000'000, '9');
  EXPECT_FALSE(same_output(digits + "8", digits + "7"));
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += "1.0 ";
  EXPECT_FALSE(same_output(many + "2", many + "3"));
}

bool same(const char* value, const char* expected) {
  return same_value(nlohmann::json::parse(value), nlohmann::json::parse(expected));
}

TEST(OutputMatch, ValuesAsPythonComparesThem) {
  EXPECT_TRUE(same("[1, 2.0, true]", "[1.0, 2, 1]"));
  EXPECT_TRUE(same(R"({"a": [1], "b": null})", R"({"b": null, "a": [1.0]})"));
  EXPECT_TRUE(same("-0.0", "0"));
  EXPECT_FALSE(same("[1, 2]", "[2, 1]"));
  EXPECT_FALSE(same("[1]", "[1, 1]"));
  EXPECT_FALSE(same(R"("1")", "1"));
  EXPECT_FALSE(same("null", "0"));
  EXPECT_FALSE(same("0", "[]"));
  EXPECT_FALSE(same("9007199254740993", "9007199254740992.0"));  // the difference is kept
  EXPECT_FALSE(same("-1", "18446744073709551615"));
  EXPECT_FALSE(same("1.5", "1"));
}

}  // namespace
}  // namespace r1::eval
