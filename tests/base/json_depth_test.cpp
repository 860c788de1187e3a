#include "base/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace r1 {
namespace {

TEST(JsonDepth, CountsBracketsThatLieInEachOther) {
  EXPECT_FALSE(is_nested_deeper("", 0));
  EXPECT_FALSE(is_nested_deeper("5", 0));
  EXPECT_TRUE(is_nested_deeper("[]", 0));
  EXPECT_FALSE(is_nested_deeper(R"([{"a": [1]}, {"b": [2]}])", 3));
  EXPECT_TRUE(is_nested_deeper(R"([{"a": [1]}, {"b": [2]}])", 2));
  EXPECT_FALSE(is_nested_deeper(R"({"[[[\"[[[": "{{{\\"})", 1)) << "those of strings do not count";
  EXPECT_TRUE(is_nested_deeper(std::string(1'000'000, '['), kMaxJsonLevels));
}

}  // namespace
}  // namespace r1
