// A fixed set of worker threads for data-parallel loops.
//
// Goals: a loop of a few microseconds costs about one microsecond to start and to join; a pool whose core
// is taken away by a neighbour does not burn the others (spinning is bounded, then threads sleep).
// Non-goals: tasks that block, nested loops.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace r1 {

class ThreadPool {
 public:
  /// `threads` counts the calling thread: 1 runs everything on the caller. 0 means one for each core this
  /// process may run on. Error(out_of_memory) where the system does not start so many.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  /// Runs body(index, thread) for each index in [0, count), in any order, on all threads, and returns when
  /// all are done. `thread` is in [0, size()) and names scratch space that the call has to itself.
  /// Each thread walks through a range of its own in ascending order, then takes indexes of others one by
  /// one, so that uneven work balances: make them pieces of at least a microsecond. Called by one thread at a
  /// time; not from inside a body. The first exception of a body is rethrown here after the others ended.
  void parallel_for(int64_t count, const std::function<void(int64_t index, int thread)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1
