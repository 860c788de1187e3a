#include "server/models/completion.h"

#include <utility>

#include "base/memory_reserve.h"
#include "server/http/api_error.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

constexpr size_t kMaxListedTokens = 1024;                // of stop_token_ids, and of logit_bias
constexpr size_t kMaxStopBytes = 4096;                   // of all stop texts
constexpr int64_t kMaxCopiedTokens = int64_t{1} << 24;   // of prompt and lists, by all choices: 64 MiB
constexpr int64_t kMaxProbabilities = int64_t{1} << 22;  // log-probabilities that the whole answer can have

/// What a request may take that its body does not show: each choice has its own copy of the prompt and the
/// lists, and keeps its log-probabilities to the end. Throws ApiError.
void check_size(const CompletionSpec& spec) {
  if (spec.stop_tokens.size() > kMaxListedTokens)
    throw ApiError(400, "stop_token_ids", "invalid_value",
                   fmt::format("stop_token_ids: expected at most {}, found {}", kMaxListedTokens,
                               spec.stop_tokens.size()));
  if (spec.sampling.logit_bias.size() > kMaxListedTokens)
    throw ApiError(400, "logit_bias", "invalid_value",
                   fmt::format("logit_bias: expected at most {} tokens, found {}", kMaxListedTokens,
                               spec.sampling.logit_bias.size()));
  size_t stop_bytes = 0;
  for (const std::string& stop : spec.stop_strings) stop_bytes += stop.size();
  if (stop_bytes > kMaxStopBytes)
    throw ApiError(
        400, "stop", "invalid_value",
        fmt::format("stop: expected at most {} bytes together, found {}", kMaxStopBytes, stop_bytes));
  const auto prompt = std::ssize(spec.prompt);
  const int64_t copied = spec.choices * (prompt + std::ssize(spec.stop_tokens));
  if (copied > kMaxCopiedTokens)
    throw ApiError(400, "n", "invalid_value",
                   fmt::format("n: {} answers to a prompt of {} tokens are too many for one request",
                               spec.choices, prompt));
  if (spec.sampling.top_log_probabilities >= 0) {
    const int64_t context = spec.model->context_length();
    const int64_t longest = spec.max_tokens < 0 ? context - prompt : std::min(spec.max_tokens, context);
    if (spec.choices * longest * (spec.sampling.top_log_probabilities + 1) > kMaxProbabilities)
      throw ApiError(
          400, "top_logprobs", "invalid_value",
          fmt::format("top_logprobs: n x max_tokens x top_logprobs is more than {}: ask for fewer, or give "
                      "max_tokens",
                      kMaxProbabilities));
  }
  if (!spec.ticket) return;
  if (spec.priority > spec.ticket->priority())
    throw ApiError(403, "priority", "permission_denied",
                   fmt::format("priority: this key may ask for at most {}", spec.ticket->priority()));
  spec.ticket->add_sequences(spec.choices);
}

/// The observer of a job that nobody hears any more.
CompletionObserver& unheard() {
  class Nobody : public CompletionObserver {
    bool on_delta(int64_t, CompletionDelta) override { return false; }
    void on_choice_end(int64_t, const ChoiceResult&) override {}
    void on_end(const CompletionUsage&) override {}
  };
  static Nobody nobody;
  return nobody;
}

}  // namespace

struct CompletionJob::Choice {
  explicit Choice(const CompletionSpec& spec)
      : splitter(*spec.model, spec, spec.split ? spec.model->start_of(spec.prompt) : StreamStart{}) {}

  AnswerSplitter splitter;
  Clock::time_point last_token{};
  int64_t tokens = 0;
  bool ended = false;
};

CompletionJob::CompletionJob(CompletionSpec spec, std::shared_ptr<CompletionObserver> observer,
                             ModelMetrics& metrics)
    : spec_(std::move(spec)),
      model_name_(spec_.model_name),
      observer_(std::move(observer)),
      metrics_(metrics),
      begin_(Clock::now()) {
  spec_.lookup = spec_.model->lookup();
  if (spec_.ticket) spec_.owner = spec_.ticket->owner();
  for (int64_t index = 0; index < spec_.choices; ++index) choices_.push_back(std::make_unique<Choice>(spec_));
  open_choices_ = spec_.choices;
}

CompletionJob::~CompletionJob() = default;

std::shared_ptr<CompletionJob> CompletionJob::start(CompletionSpec spec,
                                                    std::shared_ptr<CompletionObserver> observer,
                                                    ModelMetrics& metrics) {
  check_size(spec);
  check_memory();
  std::shared_ptr<CompletionJob> job(new CompletionJob(std::move(spec), std::move(observer), metrics));
  const auto prompt_tokens = std::ssize(job->spec_.prompt);
  if (job->spec_.ticket) job->spec_.ticket->count_prompt(prompt_tokens);
  try {
    job->submit_choices();
  } catch (...) {  // refused: nothing is read
    job->abandon();
    if (job->spec_.ticket) job->spec_.ticket->count_prompt(-prompt_tokens);
    throw;
  }
  return job;
}

void CompletionJob::submit_choices() {
  // Tokens may come before all choices are submitted: their callbacks wait for this lock.
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<CompletionJob> self = shared_from_this();
  ids_.reserve(static_cast<size_t>(spec_.choices));
  for (int64_t index = 0; index < spec_.choices; ++index) {
    Request one = spec_.model->request(spec_.prompt, spec_, spec_.adapter);
    one.sampling.seed += static_cast<uint64_t>(index);
    if (index == 0)
      one.on_progress = [self](const RequestProgress& progress) { self->observer_->on_progress(progress); };
    one.on_token = [self, index](const SampledToken& token) { return self->on_token_guarded(index, token); };
    one.on_finish = [self, index](const RequestSummary& summary) { self->on_finish_guarded(index, summary); };
    ids_.push_back(spec_.model->submit(std::move(one)));  // only the first is refused: the rest is the same
  }
  observer_->on_start();
}

/// Memory ran out between the submissions: those that were made end unheard.
void CompletionJob::abandon() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  observer_ = std::shared_ptr<CompletionObserver>(std::shared_ptr<void>(), &unheard());
  open_choices_ = std::ssize(ids_);
  for (const RequestId id : ids_) spec_.model->cancel(id);
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

/// What the splitter does not know.
void CompletionJob::complete(const Choice& choice, CompletionDelta& delta) {
  delta.generated = choice.tokens;
  delta.reasoned = choice.splitter.reasoning_tokens();
  for (ToolCall& call : delta.calls) call.id = random_id("call_");
}

bool CompletionJob::on_token_guarded(int64_t index, const SampledToken& token) {
  begin_memory_check();
  try {
    const bool wants_more = on_token(index, token);
    check_memory();
    return wants_more;
  } catch (const std::exception&) {
    failed_ = true;
    return false;
  }
}

void CompletionJob::on_finish_guarded(int64_t index, const RequestSummary& summary) {
  try {
    on_finish(index, summary);
    return;
  } catch (const std::exception&) {
    failed_ = true;
  }
  // Once more, with less: the observer hears an error that needs no memory, and the end.
  const std::lock_guard lock(mutex_);
  ChoiceResult result;
  result.end = AnswerEnd::error;
  result.summary.error_kind = ErrorKind::out_of_memory;
  end_choice(index, result);
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
  const bool wants_more = choice.splitter.push(token, delta);
  complete(choice, delta);
  if (!delta.empty() && !observer_->on_delta(index, std::move(delta))) {
    cancelled_ = true;
    return false;
  }
  return wants_more;
}

void CompletionJob::on_finish(int64_t index, const RequestSummary& summary) {
  const std::lock_guard lock(mutex_);
  Choice& choice = *choices_[index];
  CompletionDelta delta;
  choice.splitter.finish(delta);
  complete(choice, delta);
  ChoiceResult result;
  result.summary = summary;
  result.end = cancelled_ ? AnswerEnd::cancelled : choice.splitter.end(summary.reason);
  if (failed_) result.end = AnswerEnd::error;
  if (failed_) result.summary.error_kind = ErrorKind::out_of_memory;
  if (result.end == AnswerEnd::error) result.error = failed_ ? "out of memory" : summary.error;
  result.stop_string = choice.splitter.stop_string();
  result.reasoning_tokens = choice.splitter.reasoning_tokens();
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
  end_choice(index, result);
}

/// The last that happens to a choice; twice where the first time failed. Under mutex_.
void CompletionJob::end_choice(int64_t index, const ChoiceResult& result) {
  Choice& choice = *choices_[static_cast<size_t>(index)];
  if (!std::exchange(choice.ended, true)) --open_choices_;
  bool told = false;
  try {
    observer_->on_choice_end(index, result);
    if (open_choices_ > 0) return;
    observer_->on_end(usage_);
    told = true;
  } catch (const std::exception&) {
  }
  if (open_choices_ > 0) return;
  if (!told) observer_->on_out_of_memory();
  spec_.ticket.reset();
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

void CompletionCollector::on_out_of_memory() noexcept {
  if (!done_) return;
  try {
    for (CollectedChoice& choice : choices_) {
      choice.all = {};
      choice.result.end = AnswerEnd::error;
      choice.result.summary.error_kind = ErrorKind::out_of_memory;
    }
    done_(std::move(choices_), {});
  } catch (const std::exception&) {  // the client's connection ends without an answer
  }
}

void CompletionCollector::on_choice_end(int64_t choice, const ChoiceResult& result) {
  choices_[static_cast<size_t>(choice)].result = result;
}

}  // namespace r1::server
