#include "nn/tape.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "nn/context.h"

namespace r1 {
namespace {

class TapeTest : public testing::Test {
 protected:
  const WeightGradients none_;
  Arena arena_;
  Tape tape_{none_};
  std::vector<float> buffer_ = std::vector<float>(10);
};

TEST_F(TapeTest, AGradientIsFoundOnceItIsWritten) {
  EXPECT_EQ(tape_.find(buffer_.data()), nullptr);
  const Tape::Target first = tape_.add_to(arena_, buffer_.data(), 10);
  EXPECT_FALSE(first.accumulate);
  EXPECT_EQ(tape_.find(buffer_.data()), first.data);
  EXPECT_EQ(tape_.find(buffer_.data() + 9), first.data + 9);
  EXPECT_EQ(tape_.find(buffer_.data() + 10), nullptr);
  const Tape::Target second = tape_.add_to(arena_, buffer_.data() + 3, 2);
  EXPECT_TRUE(second.accumulate);
  EXPECT_EQ(second.data, first.data + 3);
}

TEST_F(TapeTest, ABufferThatGetsAnotherMeaningHasNoGradientUntilItIsWrittenAgain) {
  const Tape::Target first = tape_.add_to(arena_, buffer_.data(), 10);
  tape_.forget(buffer_.data() + 2, 3);  // a part: nothing changes
  EXPECT_EQ(tape_.find(buffer_.data()), first.data);
  tape_.forget(buffer_.data(), 10);
  EXPECT_EQ(tape_.find(buffer_.data()), nullptr);
  EXPECT_THROW(tape_.add_to(arena_, buffer_.data(), 4), std::logic_error) << "a part of what is not written";
  EXPECT_FALSE(tape_.add_to(arena_, buffer_.data(), 10).accumulate);
}

TEST_F(TapeTest, PartsOfAGradientBeginAtZero) {
  float* gradient = tape_.add_to_zeroed(arena_, buffer_.data(), 10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gradient[i], 0);
  gradient[4] = 7;
  EXPECT_EQ(tape_.add_to_zeroed(arena_, buffer_.data(), 10), gradient);
  EXPECT_EQ(gradient[4], 7) << "what is there is added to";
}

TEST_F(TapeTest, EntriesRunInReverse) {
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) tape_.record([&order, i](Context&) { order.push_back(i); });
  tape_.run_backwards(context);
  EXPECT_EQ(order, (std::vector<int>{2, 1, 0}));
  tape_.run_backwards(context);
  EXPECT_EQ(order.size(), 3U) << "each runs once";
}

}  // namespace
}  // namespace r1
