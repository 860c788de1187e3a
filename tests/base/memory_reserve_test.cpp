#include "base/memory_reserve.h"

#include <gtest/gtest.h>

#include <new>
#include <thread>

namespace r1 {
namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

/// What operator new does when malloc gives nothing.
void ask_handler() {
  std::get_new_handler()();
}

TEST(MemoryReserve, WhoLivesOnItIsToldOnceAndItIsWholeAgain) {
  const MemoryReserve reserve(kBytes);
  EXPECT_NO_THROW(check_memory());
  EXPECT_NO_THROW(ask_handler());
  EXPECT_THROW(check_memory(), std::bad_alloc);
  EXPECT_NO_THROW(check_memory());
  EXPECT_TRUE(memory_is_whole());
  EXPECT_NO_THROW(ask_handler());
  begin_memory_check();
  EXPECT_NO_THROW(check_memory()) << "it belongs to what was done before";
}

TEST(MemoryReserve, OtherThreadsAreNotTold) {
  const MemoryReserve reserve(kBytes);
  std::thread([] { ask_handler(); }).join();
  EXPECT_NO_THROW(check_memory());
}

TEST(MemoryReserve, EndsAndKeepsAPartForThoseWhoUnwind) {
  const MemoryReserve reserve(kBytes);
  struct Unwinding {
    bool& served;
    ~Unwinding() {
      try {
        ask_handler();
        served = true;
      } catch (const std::bad_alloc&) {
      }
    }
  };
  int calls = 0;
  try {
    for (; calls < 1000; ++calls) ask_handler();
  } catch (const std::bad_alloc&) {
  }
  EXPECT_GT(calls, 10);
  EXPECT_LT(calls, 1000);
  // It took everything back before it threw: take all but the last part again.
  for (int i = 0; i < calls; ++i) ask_handler();
  bool served = false;
  try {
    const Unwinding unwinding{served};
    throw 1;
  } catch (int) {
  }
  EXPECT_TRUE(served);
}

TEST(MemoryReserve, WithoutOneNothingChanges) {
  EXPECT_EQ(std::get_new_handler(), nullptr);
  EXPECT_NO_THROW(check_memory());
  EXPECT_TRUE(memory_is_whole());
}

}  // namespace
}  // namespace r1
