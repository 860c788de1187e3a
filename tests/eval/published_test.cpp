#include "eval/published.h"

#include <gtest/gtest.h>

namespace r1::eval {
namespace {

TEST(PublishedModel, IsFoundInFileAndEndpointNames) {
  EXPECT_EQ(published_model("models/DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf"), "DeepSeek-R1-Distill-Qwen-7B");
  EXPECT_EQ(published_model("deepseek-ai/DeepSeek-R1-Distill-Llama-70B"), "DeepSeek-R1-Distill-Llama-70B");
  EXPECT_EQ(published_model("deepseek_r1_distill_qwen_1.5b"), "DeepSeek-R1-Distill-Qwen-1.5B");
  EXPECT_EQ(published_model("DeepSeek-R1"), "DeepSeek-R1");
  EXPECT_EQ(published_model("o1-mini"), "o1-mini");
}

TEST(PublishedModel, OtherVersionsAreOthers) {
  for (const char* name :
       {"DeepSeek-R1-0528", "DeepSeek-R1-0528-Qwen3-8B", "DeepSeek-R1-Zero", "DeepSeek-V3-0324",
        "DeepSeek-V3.1", "DeepSeek-R1-Distill-Qwen-3B", "qwen2.5-7b", ""})
    EXPECT_EQ(published_model(name), "") << name;
}

TEST(PublishedScore, AreThoseOfTheTables) {
  EXPECT_EQ(published_score(release_scores(), "aime-2024", "DeepSeek-R1"), 0.798);
  EXPECT_EQ(published_score(release_scores(), "math-500", "DeepSeek-R1-Distill-Qwen-1.5B"), 0.839);
  EXPECT_EQ(published_score(open_r1_scores(), "livecodebench", "DeepSeek-R1-Distill-Llama-8B"), 0.374);
  EXPECT_FALSE(published_score(release_scores(), "frames", "o1-1217"));  // the table has no value
  EXPECT_FALSE(published_score(release_scores(), "gsm8k", "DeepSeek-R1"));
}

TEST(PublishedScore, SharesAndRatingsAreInTheirRanges) {
  for (const PublishedScore& score : release_scores()) {
    const bool rating = score.metric == "Rating" || score.metric == "rating";
    EXPECT_GT(score.value, rating ? 500 : 0) << score.benchmark << " " << score.model;
    EXPECT_LT(score.value, rating ? 2500 : 1) << score.benchmark << " " << score.model;
  }
}

}  // namespace
}  // namespace r1::eval
