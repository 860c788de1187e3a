#include "eval/code/test_cases.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

std::string error_of(const Json& field) {
  try {
    read_test_cases(field, "tests");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(TestCases, AListOrItsText) {
  const Json list = Json::parse(R"([{"input": "1\n", "output": "2\n", "testtype": "stdin"},
                                    {"input": "[1]", "output": "3", "testtype": "functional"},
                                    {"input": ["a", "b"], "output": 7}])");
  for (const Json& field : {list, Json(list.dump())}) {
    const std::vector<TestCase> tests = read_test_cases(field, "tests");
    ASSERT_EQ(tests.size(), 3U);
    EXPECT_EQ(tests[0].input, "1\n");
    EXPECT_FALSE(tests[0].functional);
    EXPECT_TRUE(tests[1].functional);
    EXPECT_EQ(tests[2].input, "a\nb\n");
    EXPECT_EQ(tests[2].output, "7");
  }
  EXPECT_TRUE(read_test_cases(Json(), "tests").empty());
  EXPECT_TRUE(read_test_cases("", "tests").empty());
}

TEST(TestCases, PackedOnes) {
  const std::vector<TestCase> tests = read_test_cases(
      "eJxrYJlqxQABPWbR1UqZeQWlJUpWCkqGCkZKOgpK+aUlUAFjELcktbikpLIg"
      "FSRQXJKSmadUGztFDwBUwBMB",
      "tests");
  ASSERT_EQ(tests.size(), 1U);
  EXPECT_EQ(tests[0].input, "1 2");
  EXPECT_EQ(tests[0].output, "3");
}

TEST(TestCases, ErrorsNameThePlace) {
  EXPECT_EQ(error_of(Json::parse(R"([{"input": "1"}])")), "tests[0]: expected a field 'output'");
  EXPECT_EQ(error_of(Json::parse("[1]")), "tests[0]: expected an object");
  EXPECT_EQ(error_of(Json::parse(R"([{"input": "", "output": "", "testtype": "x"}])")),
            "tests[0]: testtype: expected stdin or functional, found \"x\"");
  EXPECT_EQ(error_of(Json(5)), "tests: expected a list of tests");
  EXPECT_EQ(error_of("[1,"), "tests: expected JSON");
  EXPECT_EQ(error_of("@"), "tests: expected JSON or packed tests: base64, byte 0: not a character of base64");
  EXPECT_EQ(error_of(std::string(100, '[')), "tests: nested more than 64 levels");
}

}  // namespace
}  // namespace r1::eval
