#include "eval/background_work.h"

#include <chrono>
#include <utility>

namespace r1::eval {

BackgroundWork::BackgroundWork(int64_t threads) {
  threads_.reserve(static_cast<size_t>(threads));
  for (int64_t thread = 0; thread < threads; ++thread) threads_.emplace_back([this] { work(); });
}

BackgroundWork::~BackgroundWork() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  added_.notify_all();
}

void BackgroundWork::add(Job job) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(job));
  ++outstanding_;
  added_.notify_one();
}

void BackgroundWork::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    added_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::function<void()> finish;
    std::exception_ptr failure;
    try {
      finish = job();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    finished_.push_back(std::move(finish));
    ended_.notify_one();
  }
}

bool BackgroundWork::finish_some(bool wait) {
  std::deque<std::function<void()>> finished;
  {
    std::unique_lock lock(mutex_);
    if (outstanding_ == 0) return false;
    if (wait) ended_.wait_for(lock, std::chrono::milliseconds(100), [&] { return !finished_.empty(); });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    finished.swap(finished_);
    outstanding_ -= static_cast<int64_t>(finished.size());
  }
  for (const std::function<void()>& finish : finished) {
    if (finish) finish();
  }
  return true;
}

}  // namespace r1::eval
