// Threads for work that may wait, shared by all who ask: turns go round the owners, so that one who asks for
// much cannot keep the others out. The owner "" (no keys: everybody is one) has no limits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace r1::server {

class WorkQueue {
 public:
  struct Limits {
    int threads = 1;
    int running = 1;      // tasks of one owner at a time
    size_t waiting = 64;  // tasks of one owner
  };
  /// `stop` is set when the queue stops: long work should look at it. Must not throw.
  using Task = std::function<void(const std::stop_token& stop)>;

  explicit WorkQueue(const Limits& limits);
  /// Waits for the tasks that run; those that wait are dropped.
  ~WorkQueue() { stop(); }

  /// Any thread. An owner's tasks begin in this order. False: too many of this owner's wait.
  bool add(const std::string& owner, Task task);
  void stop();

 private:
  struct Owner {
    std::deque<Task> waiting;
    int running = 0;
  };
  void run(const std::stop_token& stop);
  bool take(Task& task, std::string& name);

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::string, Owner> owners_;  // those with tasks
  std::deque<std::string> turns_;        // their names; the front is next
  std::vector<std::jthread> threads_;    // last: they use the rest
};

}  // namespace r1::server
