#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include "engine/loop_detector.h"

namespace r1 {
namespace {

using Tokens = std::vector<int32_t>;

TEST(PromptLookupTest, ContinuesTheLongestEarlierMatch) {
  PromptLookup lookup;
  //                            longer match          newer, shorter match
  const Tokens text = {9, 1, 2, 3, 4, 50, 51, 52, 8, 2, 3, 4, 60, 61, 62, 9, 1, 2, 3, 4};
  EXPECT_EQ(lookup.draft(text, 3), (Tokens{50, 51, 52}));
}

TEST(PromptLookupTest, PrefersTheNewestOfEquals) {
  PromptLookup lookup;
  const Tokens text = {1, 2, 3, 50, 1, 2, 3, 60, 7, 1, 2, 3};
  EXPECT_EQ(lookup.draft(text, 1), (Tokens{60}));
}

TEST(PromptLookupTest, DraftsNothingWithoutThreeTokensInCommon) {
  PromptLookup lookup;
  EXPECT_TRUE(lookup.draft(Tokens{1, 2}, 8).empty());
  EXPECT_TRUE(lookup.draft(Tokens{1, 2, 3, 4, 2, 3}, 8).empty());
  EXPECT_TRUE(lookup.draft(Tokens{1, 2, 3, 4, 2, 3, 9}, 0).empty());
}

TEST(PromptLookupTest, GoesOnWithAPeriod) {
  PromptLookup lookup;
  EXPECT_EQ(lookup.draft(Tokens{5, 6, 5, 6, 5, 6}, 4), (Tokens{5, 6, 5, 6}));
}

TEST(PromptLookupTest, AdaptsItsLength) {
  PromptLookup lookup;
  Tokens text(40, 7);
  EXPECT_EQ(lookup.draft(text, 64).size(), 4U);
  lookup.report(4, 4);
  EXPECT_EQ(lookup.draft(text, 64).size(), 8U);
  lookup.report(8, 2);
  EXPECT_EQ(lookup.draft(text, 64).size(), 3U);
  lookup.report(3, 0);
  EXPECT_EQ(lookup.draft(text, 64).size(), 1U);
}

TEST(PromptLookupTest, GrowingStepByStepChangesNothing) {
  Tokens text;
  PromptLookup growing;
  for (int32_t index = 0; index < 300; ++index) {
    text.push_back(index * index % 11 + index % 3);
    PromptLookup fresh;
    EXPECT_EQ(growing.draft(text, 4), fresh.draft(text, 4));
  }
}

int64_t tokens_until_loop(const Tokens& pattern, int64_t most) {
  LoopDetector detector;
  Tokens text = {1000, 1001, 1002};
  for (int64_t count = 1; count <= 3; ++count) detector.add(std::span(text).first(count));
  for (int64_t count = 0; count < most; ++count) {
    text.push_back(pattern[count % pattern.size()]);
    if (detector.add(text)) return count + 1;
  }
  return -1;
}

TEST(LoopDetectorTest, FollowsItsRule) {
  EXPECT_EQ(tokens_until_loop({5}, 1000), 256);        // at least 256 tokens
  EXPECT_EQ(tokens_until_loop({5, 6, 7}, 1000), 256);  // the last period may be incomplete
  Tokens line(100);
  for (int32_t index = 0; index < 100; ++index) line[index] = index;
  EXPECT_EQ(tokens_until_loop(line, 1000), 400);  // at least four periods
  Tokens page(513);
  for (int32_t index = 0; index < 513; ++index) page[index] = index;
  EXPECT_EQ(tokens_until_loop(page, 5000), -1);  // periods of at most 512
}

TEST(LoopDetectorTest, OneDifferentTokenBeginsAnew) {
  LoopDetector detector;
  Tokens text;
  for (int32_t index = 0; index < 1000; ++index) {
    text.push_back(index % 200 == 199 ? index : 5);
    EXPECT_FALSE(detector.add(text)) << index;
  }
}

}  // namespace
}  // namespace r1
