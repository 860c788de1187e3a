// No grader fails on a hostile text. A grader whose time grows with the square of the length would take minutes here; times are measured
// by bench/hostile_bench.
#include <gtest/gtest.h>

#include "tests/grade/every_grader.h"
#include "tests/grade/hostile_texts.h"

namespace r1::grade {
namespace {

TEST(HostileTexts, EveryGraderEndsOnEveryText) {
  const auto texts = hostile_texts(50'000);
  for (const auto& [name, grade] : every_grader()) {
    for (const auto& [label, text] : texts) EXPECT_NO_THROW(grade(text)) << name << ": " << label;
  }
}

}  // namespace
}  // namespace r1::grade
