// Ranges of numbers: every decimal of a grid is accepted where it lies in the range, and only there.
#include "grammar/numbers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"

namespace r1::grammar {
namespace {

using test::machine_accepts;
using Json = nlohmann::ordered_json;

/// -3 … 3 in steps of a hundredth, as they are usually written.
std::vector<std::pair<double, std::string>> grid() {
  std::vector<std::pair<double, std::string>> out;
  for (int hundredths = -300; hundredths <= 300; ++hundredths) {
    std::string text = fmt::format("{}{}.{:02}", hundredths < 0 ? "-" : "", std::abs(hundredths) / 100,
                                   std::abs(hundredths) % 100);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    out.push_back({hundredths / 100.0, text});
  }
  return out;
}

TEST(Numbers, RangesHoldEveryDecimalAndNoOther) {
  const char* const bounds[] = {"-2.5", "-1", "-0.5", "-0.05", "0", "0.1", "0.5", "1", "1.25", "2.75"};
  const auto numbers = grid();
  int compared = 0;
  for (const char* low : bounds) {
    for (const char* high : bounds) {
      for (const int excluded : {0, 1, 2, 3}) {
        const double from = std::stod(low), to = std::stod(high);
        if (from > to || (from == to && excluded != 0)) continue;
        const Json schema = Json::parse(fmt::format(R"({{"type": "number", "{}": {}, "{}": {}}})",
                                                    excluded & 1 ? "exclusiveMinimum" : "minimum", low,
                                                    excluded & 2 ? "exclusiveMaximum" : "maximum", high));
        const auto grammar = compile_schema(schema);
        for (const auto& [number, text] : numbers) {
          const bool inside =
              (excluded & 1 ? number > from : number >= from) && (excluded & 2 ? number < to : number <= to);
          ASSERT_EQ(machine_accepts(*grammar, text), inside) << schema << " on " << text;
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 100'000);
}

// (0, 1] could only be 1, [36.5, 38.5] had no 36.x, and ranges between two integers were refused.
TEST(Numbers, RangesOfAllSizes) {
  struct Case {
    const char* rules;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {
      {R"("exclusiveMinimum": 0, "maximum": 1)",
       {"0.5", "1", "0.001", "1.0", "0.000000000000001"},
       {"0", "1.01", "-0.5", "0.0"}},
      {R"("minimum": 36.5, "maximum": 38.5)",
       {"36.5", "36.75", "37", "38.49", "38.5"},
       {"36.4", "38.51", "3.7", "370"}},
      {R"("exclusiveMinimum": 0, "exclusiveMaximum": 1)", {"0.1", "0.999"}, {"0", "1"}},
      {R"("minimum": 2.2, "maximum": 2.8)", {"2.2", "2.5", "2.80"}, {"2", "3", "2.81"}},
      {R"("minimum": 1e15)", {"1000000000000000", "2000000000000000"}, {"999999999999999", "1"}},
      {R"("maximum": -1e15)", {"-1000000000000000"}, {"-999999999999999", "1000000000000000"}},
      {R"("minimum": 1e-20, "maximum": 2e-20)",
       {"0.00000000000000000001", "0.000000000000000000015"},
       {"0.0000000000000000001", "0"}},
      {R"("minimum": -0.0, "maximum": 0)", {"0", "0.0"}, {"0.1", "-0.1", "-0"}},
      {R"("minimum": 5, "exclusiveMinimum": 7)", {"7.1"}, {"7", "6"}},
      {R"("minimum": 7, "exclusiveMinimum": 5)", {"7", "8"}, {"6.9"}},
      {R"("minimum": 5, "exclusiveMinimum": true)", {"5.1"}, {"5"}},  // draft 4
      {R"("maximum": 5, "exclusiveMaximum": true)", {"4.9"}, {"5"}},
  };
  for (const Case& one : cases) {
    const auto grammar = compile_schema(Json::parse(fmt::format(R"({{"type": "number", {}}})", one.rules)));
    for (const char* text : one.yes)
      EXPECT_TRUE(machine_accepts(*grammar, text)) << one.rules << " on " << text;
    for (const char* text : one.no)
      EXPECT_FALSE(machine_accepts(*grammar, text)) << one.rules << " on " << text;
  }
}

TEST(Numbers, IntegersOfAnySize) {
  struct Case {
    const char* rules;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {
      {R"("minimum": 9223372036854775807)",
       {"9223372036854775807", "9223372036854775808"},
       {"9223372036854775806", "9"}},
      {R"("minimum": 0, "maximum": 18446744073709551615)",
       {"18446744073709551615", "0"},
       {"18446744073709551616", "-1"}},
      {R"("minimum": 0.5, "maximum": 2.5)", {"1", "2"}, {"0", "3", "1.5", "1.0"}},
      {R"("format": "int32")", {"2147483647", "-2147483648"}, {"2147483648", "-2147483649", "1.5"}},
      {R"("multipleOf": 3)", {"0", "3", "-9", "300"}, {"1", "31", "-1"}},
      {R"("multipleOf": 7, "minimum": 10, "maximum": 30)", {"14", "21", "28"}, {"7", "35", "15"}},
      {R"("multipleOf": 2.5)", {"5", "10", "0"}, {"2", "25.0", "7"}},
      {R"("not": {"multipleOf": 2})", {"1", "-3"}, {"2", "0"}},
      {R"("not": {"enum": [3, 4.0]})", {"2", "5", "33"}, {"3", "4"}},
      {R"("not": {"minimum": 5})", {"4", "-100"}, {"5", "500000000000000"}},
  };
  for (const Case& one : cases) {
    const auto grammar = compile_schema(Json::parse(fmt::format(R"({{"type": "integer", {}}})", one.rules)));
    for (const char* text : one.yes)
      EXPECT_TRUE(machine_accepts(*grammar, text)) << one.rules << " on " << text;
    for (const char* text : one.no)
      EXPECT_FALSE(machine_accepts(*grammar, text)) << one.rules << " on " << text;
  }
}

TEST(Numbers, MultiplesOfDecimals) {
  const auto hundredths = compile_schema(Json{{"type", "number"}, {"multipleOf", 0.01}});
  for (const char* text : {"19.99", "0.07", "3", "-2.5", "1.10"})
    EXPECT_TRUE(machine_accepts(*hundredths, text)) << text;
  for (const char* text : {"19.999", "0.001"}) EXPECT_FALSE(machine_accepts(*hundredths, text)) << text;
  const auto quarters = compile_schema(Json{{"type", "number"}, {"multipleOf", 0.25}});
  for (const char* text : {"0.25", "1.5", "2", "100.75"})
    EXPECT_TRUE(machine_accepts(*quarters, text)) << text;
  for (const char* text : {"0.2", "0.3", "1.255"}) EXPECT_FALSE(machine_accepts(*quarters, text)) << text;
}

TEST(Numbers, DecimalsOfJsonNumbers) {
  const std::pair<const char*, const char*> cases[] = {{"0", "0."},
                                                       {"-0.0", "0."},
                                                       {"12.50", "12.5"},
                                                       {"1e3", "1000."},
                                                       {"1.5e-3", "0.0015"},
                                                       {"-2.25", "-2.25"},
                                                       {"18446744073709551615", "18446744073709551615."},
                                                       {"1e20", "100000000000000000000."},
                                                       {"0.1", "0.1"}};
  for (const auto& [text, expected] : cases) {
    const Decimal decimal = Decimal::of(Json::parse(text));
    EXPECT_EQ((decimal.negative ? "-" : "") + decimal.whole + "." + decimal.fraction, expected) << text;
  }
}

}  // namespace
}  // namespace r1::grammar
