// One request for text on its way through an engine: n answers from one prompt, each taken apart into
// reasoning, content and tool calls, with log-probabilities and stop strings. Every API of the server is a
// CompletionObserver on top of this.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/answer_splitter.h"
#include "server/access/rate_limiter.h"
#include "server/models/metrics.h"
#include "server/models/served_model.h"

namespace r1::server {

struct CompletionSpec : GenerationOptions {
  std::shared_ptr<ServedModel> model;
  const Adapter* adapter = nullptr;  // of the model; null: none
  std::string model_name;            // as it was asked for: the model's, or the adapter's
  std::vector<int32_t> prompt;
  int64_t choices = 1;                   // choice i draws with seed + i
  std::shared_ptr<RateTicket> ticket{};  // of the key that asks; null: no limits
};

/// What is new of one answer; its calls have ids.
struct CompletionDelta : AnswerDelta {
  int64_t generated = 0, reasoned = 0;  // tokens of this answer up to now
};

struct ChoiceResult {
  AnswerEnd end = AnswerEnd::stop;
  std::string stop_string;  // the one that was found
  std::string error;        // AnswerEnd::error, one line
  int64_t reasoning_tokens = 0;
  RequestSummary summary;
};

struct CompletionUsage {
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
};

/// Receives a job's events, one at a time, on the engine's thread (on_start: on the caller's). Must not
/// throw.
class CompletionObserver {
 public:
  virtual ~CompletionObserver() = default;
  /// The request has been accepted; nothing was generated yet.
  virtual void on_start() {}
  /// Before the first token of choice 0, often.
  virtual void on_progress(const RequestProgress&) {}
  /// False: nobody reads on; the job is cancelled.
  virtual bool on_delta(int64_t choice, CompletionDelta delta) = 0;
  virtual void on_choice_end(int64_t choice, const ChoiceResult& result) = 0;
  /// All choices have ended.
  virtual void on_end(const CompletionUsage& usage) = 0;
  /// Instead of what an exception kept it from hearing: the end, for want of memory. Must not throw.
  virtual void on_out_of_memory() noexcept {}
};

class CompletionJob : public std::enable_shared_from_this<CompletionJob> {
 public:
  /// Submits the request. Throws Error as Engine::submit does; then the observer hears nothing.
  static std::shared_ptr<CompletionJob> start(CompletionSpec spec,
                                              std::shared_ptr<CompletionObserver> observer,
                                              ModelMetrics& metrics);
  ~CompletionJob();

  /// Any thread.
  void cancel();
  void answer_now();
  /// All choices have ended and the observer has been told. Never waits: those who keep jobs ask under locks
  /// of their own, which an observer may want in its on_end().
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  const std::string& model_name() const { return model_name_; }

 private:
  struct Choice;
  CompletionJob(CompletionSpec spec, std::shared_ptr<CompletionObserver> observer, ModelMetrics& metrics);
  void submit_choices();
  void abandon();
  bool on_token_guarded(int64_t index, const SampledToken& token);
  void on_finish_guarded(int64_t index, const RequestSummary& summary);
  void end_choice(int64_t index, const ChoiceResult& result);
  bool on_token(int64_t index, const SampledToken& token);
  static void complete(const Choice& choice, CompletionDelta& delta);
  void on_finish(int64_t index, const RequestSummary& summary);

  CompletionSpec spec_;
  std::string model_name_;
  std::shared_ptr<CompletionObserver> observer_;
  ModelMetrics& metrics_;
  std::chrono::steady_clock::time_point begin_;

  std::atomic<bool> ended_{false};
  std::mutex mutex_;  // guards all below
  std::vector<std::unique_ptr<Choice>> choices_;
  std::vector<RequestId> ids_;
  int64_t open_choices_ = 0;
  bool cancelled_ = false;
  std::atomic<bool> failed_{false};  // memory ran out
  CompletionUsage usage_;
};

/// Everything of one answer, for those who do not stream.
struct CollectedChoice {
  CompletionDelta all;
  ChoiceResult result;
};

/// Collects a job's answers and hands them over at the end.
class CompletionCollector : public CompletionObserver {
 public:
  using Done = std::function<void(std::vector<CollectedChoice>, const CompletionUsage&)>;
  CompletionCollector(int64_t choices, Done done)
      : choices_(static_cast<size_t>(choices)), done_(std::move(done)) {}
  bool on_delta(int64_t choice, CompletionDelta delta) override;
  void on_choice_end(int64_t choice, const ChoiceResult& result) override;
  void on_end(const CompletionUsage& usage) override { done_(choices_, usage); }
  void on_out_of_memory() noexcept override;

 private:
  std::vector<CollectedChoice> choices_;
  Done done_;
};

}  // namespace r1::server
