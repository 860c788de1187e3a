// What decides a sequence's next tokens, through an engine: forced closings, thinking that the model opens
// itself, reasons to stop.
#include "engine/next_token.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/engine_fixture.h"

namespace r1 {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int32_t kOpen = 3, kClose = 4;

class NextTokenTest : public testing::Test {
 protected:
  NextTokenTest() {
    request_.prompt = {1, 2, 5, 6};
    request_.max_tokens = 30;
    request_.sampling.temperature = 0;
    request_.thinking = {.starts_inside = true, .open_token = kOpen, .close_token = kClose, .budget = 5};
    request_.thinking.closing = {7, kClose, 8};
  }

  /// The model says `script`, then 10 for ever.
  void say(Tokens script) {
    request_.constraint = [this, script](std::span<const int32_t> generated) {
      mask_ = uint64_t{1} << (generated.size() < script.size() ? script[generated.size()] : 10);
      return std::span<const uint64_t>(&mask_, 1);
    };
  }

  Answer answer() {
    Engine engine(fixture_.model, fixture_.context, fixture_.options(20));
    Answer result;
    submit(engine, request_, result);
    engine.run();
    return result;
  }

  EngineFixture fixture_;
  Request request_;
  uint64_t mask_ = 0;
};

TEST_F(NextTokenTest, AStopTokenInsideTheForcedClosingDoesNotEndTheRequest) {
  request_.stop_tokens = {8, 7};
  for (const int32_t speculation : {0, 8}) {
    request_.speculation = speculation;
    say({10, 11, 12, 13, 14, 99, 99, 99, 15, 16, 8});
    const Answer result = answer();
    EXPECT_EQ(result.tokens, (Tokens{10, 11, 12, 13, 14, 7, kClose, 8, 15, 16}));
    EXPECT_EQ(result.summary->reason, FinishReason::stop_token) << "the drawn one does";
    for (size_t index = 0; index < result.sampled.size(); ++index) {
      EXPECT_EQ(result.sampled[index].forced, index >= 5 && index < 8) << index;
    }
  }
}

TEST_F(NextTokenTest, ThinkingThatTheModelOpensItselfHasTheBudget) {
  request_.thinking.starts_inside = false;
  say({10, 11, kOpen, 12, 12, 12, 12, 12});
  const Answer result = answer();
  const Tokens expected = {10, 11, kOpen, 12, 12, 12, 12, 12, 7, kClose, 8};
  ASSERT_GE(result.tokens.size(), expected.size());
  EXPECT_EQ(Tokens(result.tokens.begin(), result.tokens.begin() + 11), expected);
  EXPECT_EQ(std::ranges::count(result.tokens, kClose), 1) << "and only once";
}

TEST_F(NextTokenTest, ThinkingThatTheModelOpensItselfHasTheReserve) {
  request_.thinking.starts_inside = false;
  request_.thinking.budget = -1;
  request_.thinking.answer_reserve = 12;
  say({10, kOpen});
  const Answer result = answer();
  ASSERT_EQ(result.tokens.size(), 30U);
  const auto close = std::ranges::find(result.tokens, kClose) - result.tokens.begin();
  EXPECT_EQ(close, 30 - 12 - 2) << "the closing and 12 tokens are left";
}

TEST_F(NextTokenTest, ThinkingThatTheModelClosesItselfIsNotClosedAgain) {
  say({10, 11, kClose, 12});
  const Answer result = answer();
  EXPECT_EQ(std::ranges::count(result.tokens, kClose), 1);
  EXPECT_EQ(std::ranges::count(result.tokens, 7), 0);
  EXPECT_EQ(result.tokens.size(), 30U);
}

TEST_F(NextTokenTest, ASecondThinkingSharesTheBudget) {
  say({10, 11, kClose, 12, kOpen, 13, 13, 13, 13});
  const Answer result = answer();
  // Two and three tokens of reasoning: then it is closed.
  const Tokens expected = {10, 11, kClose, 12, kOpen, 13, 13, 13, 7, kClose, 8};
  EXPECT_EQ(Tokens(result.tokens.begin(), result.tokens.begin() + 11), expected);
}

TEST_F(NextTokenTest, ABudgetOfZeroClosesAtOnce) {
  request_.thinking.budget = 0;
  say({});
  EXPECT_EQ(answer().tokens[0], 7);
}

TEST_F(NextTokenTest, WithoutAClosingNothingIsForced) {
  request_.thinking = {.starts_inside = true, .open_token = kOpen, .close_token = kClose};
  say({});
  EXPECT_EQ(answer().tokens, Tokens(30, 10));
}

TEST_F(NextTokenTest, MaxTokensCountsTheStopTokenAsNone) {
  request_.thinking = {};
  request_.stop_tokens = {12};
  request_.max_tokens = 4;
  say({10, 10, 10, 12});
  Answer result = answer();
  EXPECT_EQ(result.tokens, Tokens(3, 10));
  EXPECT_EQ(result.summary->reason, FinishReason::stop_token);
  say({10, 10, 10, 11, 12});
  result = answer();
  EXPECT_EQ(result.tokens, (Tokens{10, 10, 10, 11}));
  EXPECT_EQ(result.summary->reason, FinishReason::length);
}

}  // namespace
}  // namespace r1
