#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

TEST(ThreadPool, RunsEachIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> hits(count);
      pool.parallel_for(count, [&](int64_t index, int thread) {
        ASSERT_LT(thread, threads);
        hits[index]++;
      });
      for (auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
  }
}

TEST(ThreadPool, RethrowsAndGoesOn) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.parallel_for(100,
                                 [](int64_t index, int) {
                                   if (index == 7) throw std::runtime_error("seven");
                                 }),
               std::runtime_error);
  std::atomic<int64_t> sum = 0;
  pool.parallel_for(100, [&](int64_t index, int) { sum += index; });
  EXPECT_EQ(sum.load(), 4950);
}

TEST(ThreadPool, ManyShortLoops) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum = 0;
  for (int loop = 0; loop < 20000; ++loop) pool.parallel_for(2, [&](int64_t, int) { sum++; });
  EXPECT_EQ(sum.load(), 40000);
}

// More threads than cores: most workers wake when the loop they were called for is over.
TEST(ThreadPool, LateWorkersDoNotEnterALoopThatHasEnded) {
  ThreadPool pool(8);
  for (int loop = 0; loop < 5000; ++loop) {
    std::atomic<bool> ended = false;
    std::atomic<int> hits = 0;
    pool.parallel_for(3, [&](int64_t, int) {
      EXPECT_FALSE(ended.load());
      hits++;
    });
    ended = true;
    ASSERT_EQ(hits.load(), 3);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these need the address space
// Threads that had begun were still running when the others failed, which ended the program.
TEST(ThreadPool, SaysThatTheSystemHasNoMoreThreads) {
  const auto too_many = [] {
    const rlimit limit{size_t{1} << 30, size_t{1} << 30};  // of address space: 128 stacks of 8 MiB
    setrlimit(RLIMIT_AS, &limit);
    try {
      ThreadPool pool(1000);
    } catch (const Error& error) {
      std::_Exit(error.kind() == ErrorKind::out_of_memory ? 0 : 1);
    }
    std::_Exit(2);
  };
  EXPECT_EXIT(too_many(), ::testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace r1
