#include "server/site/live_answer.h"

#include <algorithm>
#include <utility>

#include "server/api/generation_fields.h"
#include "server/api/server_context.h"

namespace r1::server {
namespace {

using site::AnswerState;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr size_t kKeptBytes = size_t{4} << 20;  // of events, for pages that come back
constexpr milliseconds kRateInterval{500}, kPrefillInterval{200};

/// Event ids grow over continuations and restarts of the server, without being stored.
uint64_t first_event_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(duration_cast<milliseconds>(now).count()) * 1000;
}

std::string event_text(uint64_t id, std::string_view name, const Json& data) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, name, to_text(data));
}

void begin_events(ResponseSink& sink) {
  sink.begin_stream(200,
                    {{"Content-Type", "text/event-stream; charset=utf-8"},
                     {"Cache-Control", "no-store"},
                     {"X-Accel-Buffering", "no"}},
                    kHeartbeat);
}

int64_t in_ms(double seconds) {
  return static_cast<int64_t>(seconds * 1000);
}

}  // namespace

void show_ended_answer(const site::Node& node, ResponseSink& sink) {
  begin_events(sink);
  sink.send(event_text(first_event_id(), "snapshot", {{"node", site::to_json(node)}, {"phase", nullptr}}));
  sink.end_stream();
}

LiveAnswer::LiveAnswer(std::string owner, std::string conversation, site::Node node,
                       std::function<void()> on_over)
    : owner_(std::move(owner)),
      conversation_(std::move(conversation)),
      id_(node.id),
      on_over_(std::move(on_over)),
      node_(std::move(node)),
      thinking_before_(node_.thinking_ms.value_or(0)),
      last_id_(first_event_id()) {}

void LiveAnswer::emit(std::string_view name, const Json& data) {
  Event event{++last_id_, event_text(last_id_, name, data)};
  std::erase_if(listeners_, [&](const Listener& listener) { return !listener.sink->send(event.text); });
  event_bytes_ += event.text.size();
  events_.push_back(std::move(event));
  while (event_bytes_ > kKeptBytes) {
    event_bytes_ -= events_.front().text.size();
    events_.pop_front();
  }
}

void LiveAnswer::set_phase(Json phase) {
  if (outcome_ || phase == phase_) return;
  phase_ = std::move(phase);
  emit("phase", phase_);
}

void LiveAnswer::enter(const Json& phase) {
  const std::lock_guard lock(mutex_);
  set_phase(phase);
}

void LiveAnswer::set_sources(std::vector<site::Source> sources, Json request) {
  const std::lock_guard lock(mutex_);
  if (outcome_) return;
  const bool shown = !sources.empty();
  node_.sources = std::move(sources);
  node_.request = std::move(request);
  changed_ = true;
  if (shown) emit("sources", {{"sources", site::to_json(node_.sources)}});
}

bool LiveAnswer::starting() {
  const std::lock_guard lock(mutex_);
  starting_ = !outcome_;
  return starting_;
}

void LiveAnswer::begin(const std::shared_ptr<CompletionJob>& job) {
  {
    const std::lock_guard lock(mutex_);
    if (outcome_) return;  // a short one: it has ended
    job_ = job;
    if (!stop_asked_) return;
  }
  job->cancel();
}

/// Under mutex_. False: it was decided before.
bool LiveAnswer::decide(AnswerState outcome, Json error) {
  if (outcome_) return false;
  outcome_ = outcome;
  node_.error = std::move(error);
  job_.reset();
  return true;
}

void LiveAnswer::fail(const ApiError& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!decide(AnswerState::failed, error_json(error)["error"])) return;
  }
  on_over_();
}

bool LiveAnswer::is_over() const {
  const std::lock_guard lock(mutex_);
  return outcome_.has_value();
}

void LiveAnswer::stop() {
  std::shared_ptr<CompletionJob> job;
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
    job = job_;
    if (!job && (starting_ || !decide(AnswerState::stopped, nullptr))) return;
  }
  if (job) return job->cancel();
  on_over_();
}

bool LiveAnswer::answer_now() {
  std::shared_ptr<CompletionJob> job;
  {
    const std::lock_guard lock(mutex_);
    if (!job_ || phase_.is_null() || phase_["name"] != "thinking") return false;
    job = job_;
  }
  job->answer_now();
  return true;
}

void LiveAnswer::detach(uint64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [&](const Listener& listener) { return listener.number == number; });
}

void LiveAnswer::attach(const std::shared_ptr<ResponseSink>& sink, std::optional<uint64_t> last_seen) {
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    begin_events(*sink);
    const bool kept = last_seen && *last_seen <= last_id_ &&
                      (events_.empty() ? *last_seen == last_id_ : *last_seen + 1 >= events_.front().id);
    std::string missed;
    if (kept) {
      for (const Event& event : events_) {
        if (event.id > *last_seen) missed += event.text;
      }
    } else {
      missed = event_text(last_id_, "snapshot", {{"node", site::to_json(node_)}, {"phase", phase_}});
    }
    if (!missed.empty()) sink->send(missed);
    if (ended_at_) return sink->end_stream();
    number = next_listener_++;
    listeners_.push_back({number, sink});
  }
  sink->on_abort([weak = weak_from_this(), number] {
    if (const auto self = weak.lock()) self->detach(number);
  });
}

site::Node LiveAnswer::node() const {
  const std::lock_guard lock(mutex_);
  return node_;
}

bool LiveAnswer::wait_until_ended(milliseconds time) const {
  std::unique_lock lock(mutex_);
  return ended_changed_.wait_for(lock, time, [&] { return ended_at_.has_value(); });
}

std::optional<site::Node> LiveAnswer::take_changes() {
  const std::lock_guard lock(mutex_);
  if (ended_at_ ? !unstored_ : !changed_ && !outcome_) return std::nullopt;
  changed_ = false;
  site::Node node = node_;
  if (outcome_) node.state = *outcome_;
  if (unstored_) node.error = own_error_;
  return node;
}

void LiveAnswer::stored() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(unstored_, false)) return;
  node_.state = *outcome_;
  node_.error = std::move(own_error_);
}

bool LiveAnswer::is_unstored() const {
  const std::lock_guard lock(mutex_);
  return unstored_;
}

void LiveAnswer::publish_end(const std::optional<ApiError>& trouble) {
  const std::lock_guard lock(mutex_);
  if (ended_at_ || !outcome_) return;
  node_.state = *outcome_;
  if (trouble) {
    unstored_ = true;
    own_error_ = std::exchange(node_.error, error_json(*trouble)["error"]);
    node_.state = AnswerState::failed;
  }
  phase_ = nullptr;
  Json node = site::to_json(node_);
  node.erase("content");
  node.erase("reasoning");
  emit("end", {{"node", std::move(node)}});
  for (const Listener& listener : listeners_) listener.sink->end_stream();
  listeners_.clear();
  ended_at_ = Clock::now();
  ended_changed_.notify_all();
}

std::optional<LiveAnswer::Clock::time_point> LiveAnswer::ended_at() const {
  const std::lock_guard lock(mutex_);
  return ended_at_;
}

void LiveAnswer::on_progress(const RequestProgress& progress) {
  const std::lock_guard lock(mutex_);
  if (progress.waiting_before >= 0)
    return set_phase({{"name", "queued"}, {"position", progress.waiting_before + 1}});
  prompt_tokens_ = progress.prompt_tokens;
  const Clock::time_point now = Clock::now();
  if (now - last_prefill_ < kPrefillInterval) return;
  last_prefill_ = now;
  set_phase({{"name", "prefill"},
             {"done", progress.computed_tokens},
             {"total", progress.prompt_tokens},
             {"cached", progress.reused_tokens}});
}

/// At most twice a second.
void LiveAnswer::send_rate(const CompletionDelta& delta) {
  const Clock::time_point now = Clock::now();
  if (!first_token_) first_token_ = now;
  if (now - last_rate_ < kRateInterval) return;
  last_rate_ = now;
  const double seconds = std::chrono::duration<double>(now - *first_token_).count();
  const auto before = [&](const char* field) {
    return node_.usage.is_null() ? int64_t{0} : node_.usage[field].get<int64_t>();
  };
  emit("rate", {{"completion_tokens", before("completion_tokens") + delta.generated},
                {"reasoning_tokens", before("reasoning_tokens") + delta.reasoned},
                {"tokens_per_second", seconds > 0 ? static_cast<double>(delta.generated - 1) / seconds : 0.0},
                {"context_used", prompt_tokens_ + delta.generated}});
}

bool LiveAnswer::on_delta(int64_t, CompletionDelta delta) {
  const std::lock_guard lock(mutex_);
  if (outcome_) return false;
  changed_ = true;
  if (!delta.reasoning.empty()) {
    const Clock::time_point now = Clock::now();
    if (!thinking_since_) thinking_since_ = now;
    node_.thinking_ms = thinking_before_ + duration_cast<milliseconds>(now - *thinking_since_).count();
    set_phase({{"name", "thinking"}});
    node_.reasoning += delta.reasoning;
    emit("reasoning", {{"text", delta.reasoning}});
  }
  if (!delta.content.empty()) {
    set_phase({{"name", "answering"}});
    node_.content += delta.content;
    emit("content", {{"text", delta.content}});
  }
  if (delta.generated > 0) send_rate(delta);
  return true;
}

/// Adds this part's tokens to those of earlier parts of the answer.
void LiveAnswer::add_usage(const ChoiceResult& result) {
  const RequestSummary& summary = result.summary;
  Json usage = node_.usage;
  if (usage.is_null()) {
    usage = {{"prompt_tokens", summary.prompt_tokens},
             {"cached_tokens", summary.reused_tokens},
             {"completion_tokens", 0},
             {"reasoning_tokens", 0}};
  }
  usage["completion_tokens"] = usage["completion_tokens"].get<int64_t>() + summary.generated_tokens;
  usage["reasoning_tokens"] = usage["reasoning_tokens"].get<int64_t>() + result.reasoning_tokens;
  node_.usage = std::move(usage);
  const auto later_tokens = static_cast<double>(summary.generated_tokens - 1);
  node_.timing = {
      {"queue_ms", in_ms(summary.queue_seconds)},
      {"prefill_ms", in_ms(summary.prefill_seconds)},
      {"tokens_per_second",
       summary.decode_seconds > 0 && later_tokens > 0 ? later_tokens / summary.decode_seconds : 0.0}};
}

void LiveAnswer::on_choice_end(int64_t, const ChoiceResult& result) {
  const std::lock_guard lock(mutex_);
  if (outcome_) return;
  add_usage(result);
  const auto failure = [](const char* code, const std::string& message) {
    return error_json(ApiError(500, "", code, message))["error"];
  };
  switch (result.end) {
    case AnswerEnd::length:
      decide(AnswerState::length, nullptr);
      break;
    case AnswerEnd::cancelled:
      decide(AnswerState::stopped, nullptr);
      break;
    case AnswerEnd::loop:
      decide(AnswerState::failed, failure("repetition", "the answer only repeated itself and was ended"));
      break;
    case AnswerEnd::error:
      decide(AnswerState::failed, failure("generation_failed", result.error));
      break;
    default:
      decide(AnswerState::done, nullptr);
  }
}

void LiveAnswer::on_end(const CompletionUsage&) {
  on_over_();
}

void LiveAnswer::on_out_of_memory() noexcept {
  try {
    {
      const std::lock_guard lock(mutex_);
      decide(AnswerState::failed, nullptr);
      if (node_.state != AnswerState::failed)
        node_.error = {{"code", "out_of_memory"}, {"message", "out of memory"}};
    }
    on_over_();
  } catch (const std::exception&) {  // the next tick stores it
  }
}

}  // namespace r1::server
