#include "server/models/job_registry.h"

#include <thread>
#include <vector>

namespace r1::server {

void JobRegistry::add(const std::string& id, const std::string& key,
                      const std::shared_ptr<CompletionJob>& job, std::shared_ptr<SseStream> stream,
                      ResponseSink& sink) {
  const std::weak_ptr<CompletionJob> weak_job = job;
  const bool resumable = stream && stream->resumable();
  const std::weak_ptr<SseStream> weak_stream = stream;
  try {
    {
      const std::lock_guard lock(mutex_);
      entries_[id] = {key, job, std::move(stream)};
    }
    sink.on_abort([weak_job, weak_stream, resumable] {
      if (resumable) {
        if (const auto alive = weak_stream.lock()) alive->detach();
      } else if (const auto alive = weak_job.lock()) {
        alive->cancel();
      }
    });
  } catch (const std::bad_alloc&) {  // nobody could end it later
    job->cancel();
    throw;
  }
}

std::shared_ptr<CompletionJob> JobRegistry::job(const std::string& id, const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found == entries_.end() || found->second.key != key ? nullptr : found->second.job;
}

std::shared_ptr<SseStream> JobRegistry::stream(const std::string& id, const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found == entries_.end() || found->second.key != key ? nullptr : found->second.stream;
}

void JobRegistry::tidy() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<CompletionJob>> abandoned;
  std::vector<Entry> over;  // destroyed outside the lock
  {
    const std::lock_guard lock(mutex_);
    for (auto place = entries_.begin(); place != entries_.end();) {
      Entry& entry = place->second;
      const bool resumable = entry.stream && entry.stream->resumable();
      const bool alone =
          resumable && now > entry.stream->idle_since() && now - entry.stream->idle_since() > resume_time_;
      if (entry.job->ended() && (!resumable || alone)) {
        over.push_back(std::move(entry));
        place = entries_.erase(place);
        continue;
      }
      if (alone) abandoned.push_back(entry.job);
      ++place;
    }
  }
  for (const auto& job : abandoned) job->cancel();
}

void JobRegistry::cancel_all() {
  std::vector<std::shared_ptr<CompletionJob>> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) jobs.push_back(entry.job);
  }
  for (const auto& job : jobs) job->cancel();
  // Their ends refer to what their owner is about to destroy. A pass breaks off between two layers.
  for (const auto& job : jobs) {
    while (!job->ended()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace r1::server
