#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

// About 20 to 50 microseconds: longer than the gap between two loops of one layer, shorter than a time slice.
constexpr int kSpins = 2000;

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

struct ThreadPool::State {
  // A thread's share of a loop's indexes, handed out in ascending order: to itself, and when others have
  // nothing left, to them.
  struct alignas(64) Range {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  // `generation` counts loops; a worker looks for work when it changes. `open` is the number of the loop that
  // may be entered, 0 when none may; `inside` counts the workers that are in it. A worker that wakes too late
  // finds the loop closed: the caller waits for those inside, not for those that a neighbour keeps from
  // running.
  std::atomic<uint64_t> generation{0};
  std::atomic<uint64_t> open{0};
  std::atomic<int> inside{0};
  std::atomic<bool> stopping{false};
  std::vector<Range> ranges;  // of each thread
  const std::function<void(int64_t, int)>* body = nullptr;
  std::exception_ptr failure;

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping.store(true);
      generation.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void work(int thread) {
    try {
      const size_t threads = ranges.size();
      for (size_t i = 0; i < threads; ++i) {
        Range& range = ranges[(thread + i) % threads];
        while (range.next.load(std::memory_order_relaxed) < range.end) {
          const int64_t index = range.next.fetch_add(1, std::memory_order_relaxed);
          if (index < range.end) (*body)(index, thread);
        }
      }
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      for (Range& range : ranges) range.next.store(range.end, std::memory_order_relaxed);
    }
  }

  void run_worker(int thread) {
    uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && generation.load(std::memory_order_acquire) == seen; ++spin) {
        pause_processor();
      }
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
      }
      seen = generation.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_relaxed)) return;
      // Enter first, then look whether it was in time; the caller closes first, then looks who is inside.
      // In one total order of these four, at least one of the two sees the other.
      inside.fetch_add(1, std::memory_order_seq_cst);
      if (open.load(std::memory_order_seq_cst) == seen) work(thread);
      if (inside.fetch_sub(1, std::memory_order_seq_cst) == 1) {
        std::lock_guard lock(mutex);
        finished.notify_one();
      }
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 0 || threads > 1024) {
    throw_error(ErrorKind::invalid_argument, "threads: expected 0 to 1024, found {}", threads);
  }
  if (threads == 0) threads = available_processors();
  state_->ranges = std::vector<State::Range>(threads);
  try {
    for (int thread = 1; thread < threads; ++thread) {
      state_->workers.emplace_back([state = state_.get(), thread] { state->run_worker(thread); });
    }
  } catch (const std::system_error& error) {
    const size_t started = state_->workers.size() + 1;
    state_->stop();
    throw_error(ErrorKind::out_of_memory, "threads: the system gives {} of {}: {}", started, threads,
                error.code().message());
  }
}

ThreadPool::~ThreadPool() {
  state_->stop();
}

int ThreadPool::size() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(int64_t count, const std::function<void(int64_t, int)>& body) {
  if (count <= 0) return;
  State& state = *state_;
  if (state.workers.empty() || count == 1) {
    for (int64_t index = 0; index < count; ++index) body(index, 0);
    return;
  }
  state.body = &body;
  state.failure = nullptr;
  const int64_t threads = size();
  for (int64_t thread = 0; thread < threads; ++thread) {
    state.ranges[thread].next.store(count * thread / threads, std::memory_order_relaxed);
    state.ranges[thread].end = count * (thread + 1) / threads;
  }
  {
    std::lock_guard lock(state.mutex);
    const uint64_t loop = state.generation.load(std::memory_order_relaxed) + 1;
    state.open.store(loop, std::memory_order_seq_cst);
    state.generation.store(loop, std::memory_order_release);
  }
  state.wake.notify_all();
  state.work(0);
  state.open.store(0, std::memory_order_seq_cst);
  for (int spin = 0; spin < kSpins && state.inside.load(std::memory_order_seq_cst) != 0; ++spin) {
    pause_processor();
  }
  if (state.inside.load(std::memory_order_seq_cst) != 0) {
    std::unique_lock lock(state.mutex);
    state.finished.wait(lock, [&] { return state.inside.load(std::memory_order_seq_cst) == 0; });
  }
  if (state.failure) std::rethrow_exception(state.failure);
}

}  // namespace r1
