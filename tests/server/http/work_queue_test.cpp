#include "server/http/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>

namespace r1::server {
namespace {

/// Holds tasks until it is opened.
class Gate {
 public:
  void open() { opened_.set_value(); }
  void wait() const { future_.wait(); }

 private:
  std::promise<void> opened_;
  std::shared_future<void> future_ = opened_.get_future().share();
};

TEST(WorkQueue, TurnsGoRoundTheOwners) {
  std::string order;
  std::mutex mutex;
  Gate gate;
  std::promise<void> done;
  WorkQueue queue({.threads = 1, .running = 1});
  queue.add("first", [&](const std::stop_token&) { gate.wait(); });
  const auto task = [&](char name) {
    return [&, name](const std::stop_token&) {
      const std::lock_guard lock(mutex);
      order += name;
      if (order.size() == 8) done.set_value();
    };
  };
  for (int i = 0; i < 5; ++i) queue.add("greedy", task('g'));
  for (int i = 0; i < 2; ++i) queue.add("modest", task('m'));
  queue.add("late", task('l'));
  gate.open();
  done.get_future().wait();
  EXPECT_EQ(order, "gmlgmggg");
}

TEST(WorkQueue, AnOwnerNeverTakesAllThreads) {
  Gate gate;
  std::atomic<int> running{0};
  std::promise<void> answered;
  WorkQueue queue({.threads = 4, .running = 2});
  for (int i = 0; i < 10; ++i) {
    queue.add("greedy", [&](const std::stop_token&) {
      ++running;
      gate.wait();
    });
  }
  queue.add("modest", [&](const std::stop_token&) { answered.set_value(); });
  answered.get_future().wait();
  EXPECT_LE(running, 2);
  gate.open();
}

TEST(WorkQueue, RefusesWhatWaitsTooLong) {
  Gate gate;
  std::promise<void> begun;
  WorkQueue queue({.threads = 1, .running = 1, .waiting = 3});
  queue.add("greedy", [&](const std::stop_token&) {
    begun.set_value();
    gate.wait();
  });
  begun.get_future().wait();
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += queue.add("greedy", [](const std::stop_token&) {}) ? 1 : 0;
  EXPECT_EQ(taken, 3);
  EXPECT_TRUE(queue.add("modest", [](const std::stop_token&) {}));
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(queue.add("", [](const std::stop_token&) {}));  // everybody is one owner
  gate.open();
}

TEST(WorkQueue, StoppingTellsWhatRunsAndDropsWhatWaits) {
  std::atomic<int> ran{0};
  std::promise<void> begun;
  WorkQueue queue({.threads = 1, .running = 1});
  queue.add("a", [&](const std::stop_token& stop) {
    begun.set_value();
    while (!stop.stop_requested()) std::this_thread::yield();
    ++ran;
  });
  queue.add("a", [&](const std::stop_token&) { ++ran; });
  begun.get_future().wait();
  queue.stop();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace r1::server
