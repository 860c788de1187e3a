// Work that waits for others (programs in the sandbox) beside the thread that runs the model.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace r1::eval {

/// A job runs on one of the threads; what it returns runs on the owner's thread, from finish_some(). Jobs that have not begun when it is
/// destroyed are dropped.
class BackgroundWork {
 public:
  using Job = std::function<std::function<void()>()>;

  explicit BackgroundWork(int64_t threads);
  ~BackgroundWork();
  BackgroundWork(const BackgroundWork&) = delete;
  BackgroundWork& operator=(const BackgroundWork&) = delete;

  void add(Job job);
  /// Runs what finished jobs returned. `wait`: until at least one did, at most a tenth of a second. Throws what a job threw.
  /// False: nothing is outstanding.
  bool finish_some(bool wait);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable added_, ended_;
  std::deque<Job> waiting_;
  std::deque<std::function<void()>> finished_;
  std::exception_ptr failure_;
  int64_t outstanding_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace r1::eval
