#include "engine/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

TEST(PerplexityTest, ScoresTheSecondHalvesOfWholeWindows) {
  EngineFixture fixture;
  std::vector<int32_t> text(1000);
  for (size_t index = 0; index < text.size(); ++index) text[index] = static_cast<int32_t>(index * index % 23);
  for (int64_t window : {100, 300}) {
    for (int64_t batch_tokens : {7, 512}) {
      PerplexityOptions options;
      options.window = window;
      options.batch_tokens = batch_tokens;
      options.key_dtype = options.value_dtype = DType::f32;
      const PerplexityResult result = perplexity(*fixture.model, fixture.context, text, 1, options);

      // The plain way: each window in one pass, every row's logits.
      KvCache cache(fixture.model->kv_layers(), 10, DType::f32, DType::f32);
      const std::vector<int32_t> blocks = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
      double sum = 0;
      double squares = 0;
      int64_t count = 0;
      for (int64_t begin = 0; begin + window <= 1000; begin += window) {
        std::vector<int32_t> tokens(text.begin() + begin, text.begin() + begin + window);
        tokens[0] = 1;
        std::vector<int32_t> rows(window);
        for (int64_t row = 0; row < window; ++row) rows[row] = static_cast<int32_t>(row);
        std::vector<float> logits(window * 23);
        const SequenceSlice slice{window, 0, blocks};
        fixture.model->forward(fixture.context, {tokens, {&slice, 1}, rows}, cache, logits.data(), {});
        for (int64_t row = window / 2; row + 1 < window; ++row) {
          double total = 0;
          for (int64_t id = 0; id < 23; ++id) total += std::exp(static_cast<double>(logits[row * 23 + id]));
          const double value = std::log(total) - logits[row * 23 + tokens[row + 1]];
          sum += value;
          squares += value * value;
          ++count;
        }
      }
      const double mean = sum / static_cast<double>(count);
      EXPECT_EQ(result.windows, 1000 / window);
      EXPECT_EQ(result.scored_tokens, count);
      EXPECT_NEAR(result.perplexity, std::exp(mean), 1e-5);
      const double deviation =
          std::sqrt((squares / static_cast<double>(count) - mean * mean) / static_cast<double>(count - 1));
      EXPECT_NEAR(result.standard_error, deviation * std::exp(mean), 1e-5);
    }
  }
}

TEST(PerplexityTest, RefusesTextsShorterThanAWindow) {
  EngineFixture fixture;
  const std::vector<int32_t> text(99, 1);
  PerplexityOptions options;
  options.window = 100;
  EXPECT_THROW(perplexity(*fixture.model, fixture.context, text, std::nullopt, options), Error);
  options.window = 2000;
  EXPECT_THROW(perplexity(*fixture.model, fixture.context, text, std::nullopt, options), Error);
}

}  // namespace
}  // namespace r1
