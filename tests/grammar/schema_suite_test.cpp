// Published cases: a selection of the JSON Schema Test Suite (tests/fixtures/json-schema-suite/README.md). What the
// suite calls invalid is never accepted; what it calls valid is, but for the kinds that docs/grammar.md leaves out.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"

namespace r1::grammar {
namespace {

TEST(SchemaSuite, PublishedCases) {
  std::ifstream file(std::string(R1_TEST_FIXTURES) + "/json-schema-suite/selection.json");
  const auto groups = nlohmann::ordered_json::parse(file);
  int valid_ones = 0, invalid_ones = 0;
  for (const auto& group : groups) {
    const auto grammar = compile_schema(group["schema"]);
    for (const auto& one : group["tests"]) {
      const bool accepted = test::machine_accepts(*grammar, one["data"].dump());
      EXPECT_EQ(accepted, one["accepted"].get<bool>())
          << group["from"] << ": " << group["description"] << ": " << one["data"];
      if (accepted) {
        EXPECT_TRUE(one["valid"].get<bool>());
      }
      (one["valid"].get<bool>() ? valid_ones : invalid_ones) += 1;
    }
  }
  EXPECT_GT(valid_ones, 100);
  EXPECT_GT(invalid_ones, 200);
}

}  // namespace
}  // namespace r1::grammar
