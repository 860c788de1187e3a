// The jobs that run, by the id their clients know: for "answer now", for clients that come back, and for the
// end of the server.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "server/http/sse_stream.h"
#include "server/models/completion.h"

namespace r1::server {

/// Safe to use from several threads.
class JobRegistry {
 public:
  explicit JobRegistry(std::chrono::duration<double> resume_time) : resume_time_(resume_time) {}

  /// Cancels the job when the sink's client goes away; with a resumable stream only once nobody came back for
  /// a while. `stream`: null for answers that are no streams. `key`: whose job it is.
  void add(const std::string& id, const std::string& key, const std::shared_ptr<CompletionJob>& job,
           std::shared_ptr<SseStream> stream, ResponseSink& sink);
  /// Null: there is none of that id and key.
  std::shared_ptr<CompletionJob> job(const std::string& id, const std::string& key) const;
  std::shared_ptr<SseStream> stream(const std::string& id, const std::string& key) const;

  /// Cancels what nobody came back for, forgets what is over. Call about once a second.
  void tidy();
  void cancel_all();

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<CompletionJob> job;
    std::shared_ptr<SseStream> stream;
  };
  std::chrono::duration<double> resume_time_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace r1::server
