#include "server/models/completion.h"

#include <deque>
#include <utility>

#include "server/http/random_id.h"
#include "text/incremental_decoder.h"

namespace r1::server {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string_view name_of(ChoiceEnd end) {
  switch (end) {
    case ChoiceEnd::stop:
      return "stop";
    case ChoiceEnd::stop_string:
      return "stop_string";
    case ChoiceEnd::length:
      return "length";
    case ChoiceEnd::loop:
      return "loop";
    case ChoiceEnd::tool_calls:
      return "tool_calls";
    case ChoiceEnd::cancelled:
      return "cancelled";
    case ChoiceEnd::error:
      return "error";
  }
  return "";
}

}  // namespace

/// One answer's text side.
class CompletionJob::Choice {
 public:
  explicit Choice(const CompletionSpec& spec)
      : spec_(spec),
        decoder_(spec.model->tokenizer(), spec.skip_special),
        parser_(parser_options(spec)),
        stops_(spec.stop_strings),
        wants_tokens_(spec.sampling.top_log_probabilities >= 0) {}

  /// What is new with this token. False: a stop string was found.
  bool push(const SampledToken& token, CompletionDelta& delta) {
    const bool in_reasoning = spec_.split && parser_.state() == StreamState::reasoning;
    if (in_reasoning) ++result.reasoning_tokens;
    const bool marker = is_marker(token.token);
    if (wants_tokens_ && !marker) {
      if (in_reasoning) {
        delta.reasoning_tokens.push_back(token);
      } else {
        waiting_.push_back({token, answer_bytes_});
      }
    }
    events_.clear();
    if (!spec_.split) {
      answer(decoder_.push(token.token), delta);
    } else {
      if (marker) parser_.feed(std::nullopt, decoder_.finish(), events_);
      parser_.feed(token.token, decoder_.push(token.token), events_);
      take_events(delta);
    }
    return stops_.matched().empty() && !(spec_.single_call && calls > 0);
  }

  void finish(CompletionDelta& delta) {
    events_.clear();
    if (!spec_.split) {
      answer(decoder_.finish(), delta);
    } else {
      parser_.feed(std::nullopt, decoder_.finish(), events_);
      parser_.finish(events_);
      take_events(delta);
    }
    if (stops_.matched().empty()) pass_on(stops_.finish(), delta);
    for (Waiting& waiting : waiting_) {
      if (stops_.matched().empty() || waiting.begin < passed_bytes_)
        delta.content_tokens.push_back(std::move(waiting.token));
    }
    waiting_.clear();
    result.stop_string = stops_.matched();
  }

  ChoiceResult result;
  Clock::time_point last_token{};
  int64_t tokens = 0;
  int64_t calls = 0;
  bool ended = false;

 private:
  struct Waiting {
    SampledToken token;
    size_t begin;  // of its text, in bytes of the answer
  };

  static StreamParserOptions parser_options(const CompletionSpec& spec) {
    StreamParserOptions options = spec.model->parser_options();
    options.start = spec.start;
    options.tool_calls = spec.tool_calls;
    return options;
  }

  bool is_marker(int32_t token) const {
    const StreamParserOptions& options = spec_.model->parser_options();
    if (!spec_.split) return false;
    if (options.think_begin.id == token || options.think_end.id == token) return true;
    return spec_.tool_calls && spec_.model->tokenizer().is_added(token);
  }

  void take_events(CompletionDelta& delta) {
    for (StreamEvent& event : events_) {
      if (event.type == StreamEvent::Type::reasoning) {
        delta.reasoning += event.text;
      } else if (event.type == StreamEvent::Type::answer) {
        answer(event.text, delta);
      } else if (event.type == StreamEvent::Type::tool_call && stops_.matched().empty()) {
        event.call.id = random_id("call_");
        ++calls;
        delta.calls.push_back(std::move(event.call));
      }
    }
  }

  void answer(std::string_view text, CompletionDelta& delta) {
    if (text.empty() || !stops_.matched().empty()) return;
    answer_bytes_ += text.size();
    pass_on(stops_.push(text), delta);
    if (!stops_.matched().empty() && spec_.include_stop) pass_on(stops_.matched(), delta);
  }

  void pass_on(std::string_view text, CompletionDelta& delta) {
    if (text.empty()) return;
    delta.content += text;
    passed_bytes_ += text.size();
    while (!waiting_.empty() && waiting_.front().begin < passed_bytes_) {
      delta.content_tokens.push_back(std::move(waiting_.front().token));
      waiting_.pop_front();
    }
  }

  const CompletionSpec& spec_;
  IncrementalDecoder decoder_;
  StreamParser parser_;
  StopMatcher stops_;
  std::vector<StreamEvent> events_;
  const bool wants_tokens_;
  std::deque<Waiting> waiting_;  // tokens whose text is held back
  size_t answer_bytes_ = 0, passed_bytes_ = 0;
};

CompletionJob::CompletionJob(CompletionSpec spec, std::shared_ptr<CompletionObserver> observer,
                             ModelMetrics& metrics)
    : spec_(std::move(spec)),
      model_name_(spec_.model_name),
      observer_(std::move(observer)),
      metrics_(metrics),
      begin_(Clock::now()) {
  for (int64_t index = 0; index < spec_.choices; ++index) choices_.push_back(std::make_unique<Choice>(spec_));
  open_choices_ = spec_.choices;
}

CompletionJob::~CompletionJob() = default;

std::shared_ptr<CompletionJob> CompletionJob::start(CompletionSpec spec,
                                                    std::shared_ptr<CompletionObserver> observer,
                                                    ModelMetrics& metrics) {
  std::shared_ptr<CompletionJob> job(new CompletionJob(std::move(spec), std::move(observer), metrics));
  const auto prompt_tokens = std::ssize(job->spec_.prompt);
  if (job->spec_.ticket) job->spec_.ticket->count_prompt(prompt_tokens);
  try {
    job->submit_choices();
  } catch (...) {  // refused: nothing is read
    if (job->spec_.ticket) job->spec_.ticket->count_prompt(-prompt_tokens);
    throw;
  }
  return job;
}

void CompletionJob::submit_choices() {
  // Tokens may come before all choices are submitted: their callbacks wait for this lock.
  const std::lock_guard lock(mutex_);
  Request request;
  request.prompt = spec_.prompt;
  request.sampling = spec_.sampling;
  request.thinking = spec_.thinking;
  request.max_tokens = spec_.max_tokens;
  request.stop_tokens = spec_.stop_tokens;
  if (!spec_.ignore_eos) {
    const auto& ends = spec_.model->vocabulary().end_of_generation;
    request.stop_tokens.insert(request.stop_tokens.end(), ends.begin(), ends.end());
  }
  request.speculation = spec_.model->lookup();
  request.loop_detection = spec_.loop_detection;
  request.priority = spec_.priority;
  request.adapter = spec_.adapter;
  const std::shared_ptr<CompletionJob> self = shared_from_this();
  for (int64_t index = 0; index < spec_.choices; ++index) {
    Request one = request;
    one.sampling.seed = spec_.sampling.seed + static_cast<uint64_t>(index);
    if (index == 0)
      one.on_progress = [self](const RequestProgress& progress) { self->observer_->on_progress(progress); };
    one.on_token = [self, index](const SampledToken& token) { return self->on_token(index, token); };
    one.on_finish = [self, index](const RequestSummary& summary) { self->on_finish(index, summary); };
    if (spec_.constraint) {
      const grammar::ThinkingTokens thinking{spec_.thinking.starts_inside, spec_.thinking.open_token,
                                             spec_.thinking.close_token};
      auto state =
          std::make_shared<grammar::Constraint>(spec_.constraint, spec_.model->token_trie(), thinking);
      one.constraint = [state](std::span<const int32_t> generated) { return state->allowed(generated); };
    }
    ids_.push_back(spec_.model->submit(std::move(one)));  // only the first may throw: the rest is the same
  }
  observer_->on_start();
}

void CompletionJob::cancel() {
  std::vector<RequestId> ids;
  std::shared_ptr<ServedModel> model;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    ids = ids_;
    model = spec_.model;
  }
  if (!model) return;  // it has ended
  for (const RequestId id : ids) model->cancel(id);
}

void CompletionJob::answer_now() {
  std::vector<RequestId> ids;
  std::shared_ptr<ServedModel> model;
  {
    const std::lock_guard lock(mutex_);
    ids = ids_;
    model = spec_.model;
  }
  if (!model) return;
  for (const RequestId id : ids) model->answer_now(id);
}

bool CompletionJob::on_token(int64_t index, const SampledToken& token) {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return false;
  Choice& choice = *choices_[index];
  const Clock::time_point now = Clock::now();
  if (spec_.ticket) spec_.ticket->count_generated(1);
  if (choice.tokens++ == 0) {
    metrics_.first_token(seconds(begin_, now));
  } else {
    metrics_.next_token(seconds(choice.last_token, now));
  }
  choice.last_token = now;
  CompletionDelta delta;
  const bool goes_on = choice.push(token, delta);
  delta.generated = choice.tokens;
  delta.reasoned = choice.result.reasoning_tokens;
  if (!delta.empty() && !observer_->on_delta(index, std::move(delta))) {
    cancelled_ = true;
    return false;
  }
  return goes_on;
}

void CompletionJob::on_finish(int64_t index, const RequestSummary& summary) {
  const std::lock_guard lock(mutex_);
  Choice& choice = *choices_[index];
  CompletionDelta delta;
  choice.finish(delta);
  ChoiceResult& result = choice.result;
  result.summary = summary;
  switch (summary.reason) {
    case FinishReason::stop_token:
      result.end = ChoiceEnd::stop;
      break;
    case FinishReason::stop_callback:
      result.end = ChoiceEnd::stop_string;
      break;
    case FinishReason::length:
      result.end = ChoiceEnd::length;
      break;
    case FinishReason::loop:
      result.end = ChoiceEnd::loop;
      break;
    case FinishReason::cancelled:
      result.end = ChoiceEnd::cancelled;
      break;
    case FinishReason::error:
      result.end = ChoiceEnd::error;
      result.error = summary.error;
      break;
  }
  if (cancelled_) result.end = ChoiceEnd::cancelled;
  if (result.end == ChoiceEnd::stop_string && result.stop_string.empty()) result.end = ChoiceEnd::stop;
  if (result.end == ChoiceEnd::stop && choice.calls > 0) result.end = ChoiceEnd::tool_calls;
  if (!delta.empty()) observer_->on_delta(index, std::move(delta));
  if (index == 0) {
    usage_.prompt_tokens = summary.prompt_tokens;
    usage_.cached_tokens = summary.reused_tokens;
  }
  usage_.completion_tokens += summary.generated_tokens;
  usage_.reasoning_tokens += result.reasoning_tokens;
  metrics_.finished({name_of(result.end), summary.prompt_tokens, summary.reused_tokens,
                     summary.generated_tokens, result.reasoning_tokens, summary.queue_seconds,
                     summary.prefill_seconds, seconds(begin_, Clock::now())});
  observer_->on_choice_end(index, result);
  if (--open_choices_ > 0) return;
  spec_.ticket.reset();
  observer_->on_end(usage_);
  // Who keeps an ended job (for a client that comes back) does not keep its model from being unloaded.
  choices_.clear();
  observer_.reset();
  spec_.model.reset();
  ended_.store(true, std::memory_order_release);  // last: who sees it may destroy what the observer refers to
}

bool CompletionCollector::on_delta(int64_t choice, CompletionDelta delta) {
  CompletionDelta& all = choices_[static_cast<size_t>(choice)].all;
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  all.reasoning += delta.reasoning;
  all.content += delta.content;
  append(all.reasoning_tokens, delta.reasoning_tokens);
  append(all.content_tokens, delta.content_tokens);
  append(all.calls, delta.calls);
  return true;
}

void CompletionCollector::on_choice_end(int64_t choice, const ChoiceResult& result) {
  choices_[static_cast<size_t>(choice)].result = result;
}

}  // namespace r1::server
