// An answer of the chat site while it is made: its node as it stands, and its events for all pages that look
// (docs/site-api.md, "Answers"). It goes on whether anybody looks or not.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/content/conversation.h"
#include "server/http/api_error.h"
#include "server/http/response_sink.h"
#include "server/models/completion.h"

namespace r1::server {

/// Safe to use from several threads. Its life: prepared (search, a model to load) → begin() → over (the
/// outcome is known, the store does not have it yet) → publish_end().
class LiveAnswer : public CompletionObserver, public std::enable_shared_from_this<LiveAnswer> {
 public:
  using Clock = std::chrono::steady_clock;

  /// `node`: running. `on_over`: called once, on any thread, with no lock held but the engine's.
  LiveAnswer(std::string owner, std::string conversation, site::Node node, std::function<void()> on_over);

  const std::string& owner() const { return owner_; }
  const std::string& conversation() const { return conversation_; }
  const std::string& id() const { return id_; }

  // For who prepares it.
  void enter(const Json& phase);
  /// What the prompt was made of: shown to the pages, kept for a continuation.
  void set_sources(std::vector<site::Source> sources, Json request);
  /// Its job is about to start: from here on it ends with the job. False: it was stopped.
  bool starting();
  void begin(const std::shared_ptr<CompletionJob>& job);
  void fail(const ApiError& error);
  bool is_over() const;

  // For users.
  void stop();
  /// False: it is not thinking.
  bool answer_now();
  /// Sends what came behind event `last_seen` (nothing, or too old: a snapshot), and all that will come.
  void attach(const std::shared_ptr<ResponseSink>& sink, std::optional<uint64_t> last_seen);
  site::Node node() const;
  /// False: it goes on after that time.
  bool wait_until_ended(std::chrono::milliseconds time) const;

  // For who stores it.
  /// The node for the store, when it has changed since the last call or is over.
  std::optional<site::Node> take_changes();
  /// After the store has it: tells the pages. `trouble`: the store has it not, and why; then take_changes()
  /// gives it again and again, until stored() is called.
  void publish_end(const std::optional<ApiError>& trouble);
  /// What take_changes() gave last is in the store.
  void stored();
  bool is_unstored() const;
  /// When it was published; nothing: not yet.
  std::optional<Clock::time_point> ended_at() const;

  // CompletionObserver
  void on_progress(const RequestProgress& progress) override;
  bool on_delta(int64_t choice, CompletionDelta delta) override;
  void on_choice_end(int64_t choice, const ChoiceResult& result) override;
  void on_end(const CompletionUsage& usage) override;
  void on_out_of_memory() noexcept override;

 private:
  struct Event {
    uint64_t id;
    std::string text;
  };
  struct Listener {
    uint64_t number;
    std::shared_ptr<ResponseSink> sink;
  };

  // Under mutex_:
  void emit(std::string_view name, const Json& data);
  void set_phase(Json phase);
  void send_rate(const CompletionDelta& delta);
  void add_usage(const ChoiceResult& result);
  void detach(uint64_t number);
  bool decide(site::AnswerState outcome, Json error);

  const std::string owner_, conversation_, id_;
  const std::function<void()> on_over_;

  mutable std::mutex mutex_;
  mutable std::condition_variable ended_changed_;
  site::Node node_;
  std::optional<site::AnswerState> outcome_;
  std::optional<Clock::time_point> ended_at_;
  bool changed_ = true;
  bool unstored_ = false;  // ended, and the store could not take it
  Json own_error_;         // while unstored_: that of the outcome, not the store's
  Json phase_;             // null: none yet, or over
  std::shared_ptr<CompletionJob> job_;
  bool starting_ = false, stop_asked_ = false;

  int64_t thinking_before_ = 0;  // ms of earlier parts of the answer
  std::optional<Clock::time_point> thinking_since_, first_token_;
  Clock::time_point last_rate_, last_prefill_;
  int64_t prompt_tokens_ = 0;

  uint64_t last_id_;
  std::deque<Event> events_;  // the newest; older ones are forgotten
  size_t event_bytes_ = 0;
  uint64_t next_listener_ = 0;
  std::vector<Listener> listeners_;
};

/// The events of an answer that ended long ago: a snapshot.
void show_ended_answer(const site::Node& node, ResponseSink& sink);

}  // namespace r1::server
