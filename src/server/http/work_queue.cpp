#include "server/http/work_queue.h"

#include <utility>

namespace r1::server {

WorkQueue::WorkQueue(const Limits& limits) : limits_(limits) {
  for (int i = 0; i < limits.threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
}

bool WorkQueue::add(const std::string& owner, Task task) {
  {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = owners_.try_emplace(owner);
    if (!owner.empty() && place->second.waiting.size() >= limits_.waiting) return false;
    if (is_new) turns_.push_back(owner);
    place->second.waiting.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void WorkQueue::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  wake_.notify_all();
  threads_.clear();  // joins
  const std::lock_guard lock(mutex_);
  owners_.clear();
  turns_.clear();
}

/// The next task of the first owner in turn who may run one more. Under mutex_.
bool WorkQueue::take(Task& task, std::string& name) {
  for (size_t i = 0; i < turns_.size(); ++i) {
    Owner& owner = owners_[turns_[i]];
    if (owner.waiting.empty() || (!turns_[i].empty() && owner.running >= limits_.running)) continue;
    name = turns_[i];
    task = std::move(owner.waiting.front());
    owner.waiting.pop_front();
    ++owner.running;
    turns_.erase(turns_.begin() + static_cast<std::ptrdiff_t>(i));
    turns_.push_back(name);
    return true;
  }
  return false;
}

void WorkQueue::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Task task;
    std::string name;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [&] { return take(task, name); })) return;
    }
    task(stop);
    task = nullptr;  // what it holds goes before its place is given on
    {
      const std::lock_guard lock(mutex_);
      Owner& owner = owners_[name];
      if (--owner.running == 0 && owner.waiting.empty()) {
        owners_.erase(name);
        std::erase(turns_, name);
      }
    }
    wake_.notify_one();
  }
}

}  // namespace r1::server
