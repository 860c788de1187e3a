// Work that no request waits for: a queue and a few threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace r1::server {

class Background {
 public:
  /// `stop` is set when the program ends: long work should look at it.
  using Task = std::function<void(const std::stop_token& stop)>;

  explicit Background(int threads);
  /// Waits for the tasks that run; those that wait are dropped.
  ~Background() { stop(); }

  /// Any thread. Tasks begin in this order; they must not throw.
  void add(Task task);
  void stop();

 private:
  void run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Task> tasks_;
  std::vector<std::jthread> threads_;  // last: they use the rest
};

}  // namespace r1::server
