#include "server/models/completion.h"

#include <utility>

#include "server/http/random_id.h"

namespace r1::server {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

struct CompletionJob::Choice {
  explicit Choice(const CompletionSpec& spec)
      : splitter(*spec.model, spec, spec.split ? spec.model->start_of(spec.prompt) : StreamStart{}) {}

  AnswerSplitter splitter;
  Clock::time_point last_token{};
  int64_t tokens = 0;
};

CompletionJob::CompletionJob(CompletionSpec spec, std::shared_ptr<CompletionObserver> observer,
                             ModelMetrics& metrics)
    : spec_(std::move(spec)),
      model_name_(spec_.model_name),
      observer_(std::move(observer)),
      metrics_(metrics),
      begin_(Clock::now()) {
  spec_.lookup = spec_.model->lookup();
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
  const std::shared_ptr<CompletionJob> self = shared_from_this();
  for (int64_t index = 0; index < spec_.choices; ++index) {
    Request one = spec_.model->request(spec_.prompt, spec_, spec_.adapter);
    one.sampling.seed += static_cast<uint64_t>(index);
    if (index == 0)
      one.on_progress = [self](const RequestProgress& progress) { self->observer_->on_progress(progress); };
    one.on_token = [self, index](const SampledToken& token) { return self->on_token(index, token); };
    one.on_finish = [self, index](const RequestSummary& summary) { self->on_finish(index, summary); };
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

/// What the splitter does not know.
void CompletionJob::complete(const Choice& choice, CompletionDelta& delta) {
  delta.generated = choice.tokens;
  delta.reasoned = choice.splitter.reasoning_tokens();
  for (ToolCall& call : delta.calls) call.id = random_id("call_");
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
  if (result.end == AnswerEnd::error) result.error = summary.error;
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
