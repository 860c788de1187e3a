#include "server/site/answer_board.h"

#include <algorithm>

#include "server/api/generation_fields.h"
#include "server/content/site_error.h"
#include "server/content/site_time.h"
#include "server/http/random_id.h"
#include "server/site/site_errors.h"
#include "server/site/site_prompt.h"

namespace r1::server {
namespace {

using site::AnswerState;
using Code = site::SiteError::Code;

constexpr std::chrono::seconds kKeepEnded{60};  // for pages that come back for the last events
constexpr std::chrono::seconds kStopTime{30};
constexpr int kResults = 10;

Json request_json(const AnswerRequest& request) {
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(); };
  return {{"system_prompt", request.system_prompt},
          {"search_provider", request.search_provider},
          {"temperature", or_null(request.temperature)},
          {"top_p", or_null(request.top_p)},
          {"max_tokens", or_null(request.max_tokens)},
          {"thinking_budget", or_null(request.thinking_budget)},
          {"seed", or_null(request.seed)},
          {"results", nullptr}};  // of the search: texts and day, once they are there
}

template <class T>
T value_or(const Json& request, const char* name, T otherwise) {
  const auto found = request.find(name);
  return found == request.end() || found->is_null() ? otherwise : found->get<T>();
}

void read_sampling(const Json& request, CompletionSpec& spec) {
  SamplingOptions& sampling = spec.sampling;
  sampling.temperature = value_or(request, "temperature", sampling.temperature);
  sampling.top_p = std::max(1e-6F, value_or(request, "top_p", sampling.top_p));
  const auto seed = value_or<int64_t>(request, "seed", -1);
  sampling.seed = seed >= 0 ? static_cast<uint64_t>(seed) : random_seed();
  spec.max_tokens = value_or<int64_t>(request, "max_tokens", -1);
}

ApiError overflow(int64_t tokens, int64_t size) {
  ApiError error(400, "content", "context_overflow",
                 fmt::format("the conversation has {} tokens; the model's context holds {}", tokens, size));
  error.extra = {{"n_prompt_tokens", tokens}, {"n_ctx", size}};
  return error;
}

int days_of(std::chrono::year_month_day day) {
  return static_cast<int>(std::chrono::sys_days(day).time_since_epoch().count());
}

/// The search of an answer's request, made before.
void read_results(const Json& request, const std::vector<site::Source>& sources, SiteQuestion& question) {
  const Json& results = request["results"];
  if (results.is_null()) return;
  question.today = std::chrono::sys_days(std::chrono::days(results["day"].get<int>()));
  const Json& texts = results["texts"];
  for (size_t i = 0; i < std::min(texts.size(), sources.size()); ++i)
    question.results.push_back({sources[i], texts[i].get<std::string>()});
}

}  // namespace

AnswerBoard::AnswerBoard(ServerContext& context, site::ConversationStore& store, Providers& providers,
                         Log log)
    : context_(context),
      store_(store),
      providers_(providers),
      log_(std::move(log)),
      keeper_([this](const std::stop_token& stop) { keep(stop); }) {}

std::shared_ptr<LiveAnswer> AnswerBoard::find(const std::string& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find({owner, id});
  return found == answers_.end() ? nullptr : found->second;
}

std::shared_ptr<LiveAnswer> AnswerBoard::put(const std::string& owner, const std::string& conversation,
                                             site::Node node) {
  const std::string id = node.id;
  auto answer = std::make_shared<LiveAnswer>(owner, conversation, std::move(node), [this] { wake_keeper(); });
  const std::lock_guard lock(mutex_);
  if (closed_) throw ApiError(503, "", "busy", "the server is shutting down");
  std::shared_ptr<LiveAnswer>& place = answers_[{owner, id}];
  if (place && !place->ended_at()) site::refuse(Code::conflict, "answer {}: it is running", id);
  place = answer;
  return answer;
}

site::SearchProvider& AnswerBoard::provider(const std::string& name) const {
  std::string reasons;
  for (const auto& provider : providers_) {
    if (!name.empty() && provider->name() != name) continue;
    const auto reason = provider->reason_not_ready();
    if (!reason) return *provider;
    reasons += (reasons.empty() ? "" : "; ") + provider->name() + ": " + *reason;
  }
  site::refuse(Code::search_failed, "no search: {}", reasons.empty() ? "there is no such provider" : reasons);
}

/// Refuses at once what cannot fit, where that is known without loading a model or searching.
void AnswerBoard::check_fits(const std::string& owner, const AnswerRequest& request) const {
  const auto models = context_.models.list();
  const auto known = std::ranges::find_if(
      models, [&](const auto& model) { return request.model.empty() || model.name == request.model; });
  if (known == models.end())
    throw ApiError(404, "model", "not_found",
                   fmt::format("model: '{}' is not served here", request.model.substr(0, 200)));
  SiteQuestion question;
  question.branch = store_.branch(owner, request.conversation, request.parent);
  if (question.branch.back().role != site::Role::user)
    site::refuse(Code::invalid, "parent: '{}' is not a question", request.parent);
  if (!known->loaded) return;
  question.system_prompt = request.system_prompt;
  question.deep_think = request.deep_think;
  CompletionSpec spec;
  choose_model(context_.models, request.model, spec);
  ask_model(store_, owner, question, -1, spec);
  if (std::ssize(spec.prompt) >= spec.model->context_length())
    throw overflow(std::ssize(spec.prompt), spec.model->context_length());
}

std::shared_ptr<RateTicket> AnswerBoard::admit(const std::string& owner) {
  if (owner.starts_with(kKeyOwner)) return context_.limiter.admit(owner.substr(kKeyOwner.size()));
  return context_.limiter.admit(context_.authenticator.key_needed() ? Authenticator::kCommandLine : "");
}

AnswerBoard::Started AnswerBoard::start(const std::string& owner, const AnswerRequest& request) {
  if (const auto answer = find(owner, request.id)) return {answer->node(), false};
  check_fits(owner, request);
  auto ticket = admit(owner);
  site::Node node;
  node.id = request.id;
  node.parent = request.parent;
  node.role = site::Role::assistant;
  node.created = site::now_ms();
  node.state = AnswerState::running;
  node.model = request.model.empty() ? context_.models.list().front().name : request.model;
  node.deep_think = request.deep_think;
  node.search = request.search;
  node.request = request_json(request);
  auto [added, is_new] = store_.add_answer(owner, request.conversation, node);
  if (!is_new) return {latest(owner, std::move(added)), false};
  const auto answer = put(owner, request.conversation, added);
  prepare_later(answer, false, ticket);
  return {std::move(added), true};
}

site::Node AnswerBoard::go_on(const std::string& owner, const std::string& id) {
  const auto before = find(owner, id);
  site::ConversationStore::Located found = store_.read_node(owner, id);
  site::Node& node = found.node;
  if (node.role != site::Role::assistant) site::refuse(Code::not_found, "answer {}: there is none", id);
  const bool ended = !before || before->ended_at();
  if (!ended || node.state == AnswerState::running || node.state == AnswerState::done)
    site::refuse(Code::conflict, "answer {}: its state is {}", id,
                 ended ? site::name_of(node.state) : "running");
  auto ticket = admit(owner);
  if (node.request.is_null()) node.request = request_json({});  // it was imported
  node.state = AnswerState::running;
  node.error = nullptr;
  store_.update_answers(owner, std::span(&node, 1));
  const auto answer = put(owner, found.conversation, node);
  prepare_later(answer, true, ticket);
  return node;
}

void AnswerBoard::prepare_later(const std::shared_ptr<LiveAnswer>& answer, bool begun,
                                const std::shared_ptr<RateTicket>& ticket) {
  // Whoever runs the server is one of the owners here: with keys there are others beside.
  const bool taken = preparing_.add(
      answer->owner(),
      [this, answer, begun, ticket](const std::stop_token& stop) { prepare(answer, begun, ticket, stop); });
  if (!taken) answer->fail({503, "", "busy", "too many of your answers wait: try again in a moment"});
}

/// In the background: everything up to the first token.
void AnswerBoard::prepare(const std::shared_ptr<LiveAnswer>& answer, bool begun,
                          const std::shared_ptr<RateTicket>& ticket, const std::stop_token& stop) {
  try {
    const std::string& owner = answer->owner();
    const site::Node node = answer->node();
    SiteQuestion question;
    question.branch = store_.branch(owner, answer->conversation(), *node.parent);
    question.system_prompt = value_or(node.request, "system_prompt", std::string());
    question.deep_think = node.deep_think;
    question.today = site::local_today();
    if (begun) question.begun = &node;
    const bool searched = !node.request["results"].is_null();
    if (searched) {
      read_results(node.request, node.sources, question);
    } else if (node.search && !begun) {
      const std::string& query = question.branch.back().content;
      answer->enter({{"name", "searching"}, {"query", query.substr(0, query.find('\n'))}});
      question.results =
          provider(value_or(node.request, "search_provider", std::string())).search(query, kResults, [&] {
            return answer->is_over() || stop.stop_requested();
          });
    }
    if (answer->is_over()) return;  // stopped

    const auto models = context_.models.list();
    const auto known = std::ranges::find(models, node.model, &ModelHost::Description::name);
    if (known != models.end() && !known->loaded)
      answer->enter({{"name", "loading"}, {"done", 0}, {"total", known->file_bytes}});
    CompletionSpec spec;
    choose_model(context_.models, node.model, spec);
    read_sampling(node.request, spec);
    const int64_t wanted = spec.max_tokens, size = spec.model->context_length();
    const auto budget = value_or<int64_t>(node.request, "thinking_budget", -1);
    ask_model(store_, owner, question, budget, spec);
    // As many results as leave room for an answer; the pages see those that the model sees.
    const int64_t room = std::min<int64_t>(2048, size / 4);
    while (!question.results.empty() && std::ssize(spec.prompt) + room > size && !searched) {
      question.results.pop_back();
      ask_model(store_, owner, question, budget, spec);
    }
    const auto tokens = std::ssize(spec.prompt);
    if (tokens >= size) throw overflow(tokens, size);
    if (wanted > size - tokens) spec.max_tokens = -1;  // the context is the nearer limit
    if (!searched && !question.results.empty()) {
      std::vector<site::Source> sources;
      Json request = node.request, texts = Json::array();
      for (const site::SearchText& result : question.results) {
        sources.push_back(result.source);
        texts.push_back(result.text);
      }
      request["results"] = {{"day", days_of(question.today)}, {"texts", std::move(texts)}};
      answer->set_sources(std::move(sources), std::move(request));
    }
    if (!answer->starting()) return;
    spec.ticket = ticket;
    auto job = start_completion(std::move(spec), answer, context_.metrics.of_model(node.model));
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(job);
    }
    answer->begin(job);
  } catch (const ApiError& error) {
    answer->fail(site_error(error));
  } catch (const Error& error) {
    answer->fail(site_error(error));
  } catch (const std::exception& error) {
    answer->fail({500, "", "internal_error", error.what()});
  }
}

site::Node AnswerBoard::stop(const std::string& owner, const std::string& id) {
  if (const auto answer = find(owner, id)) {
    answer->stop();
    answer->wait_until_ended(kStopTime);
    return answer->node();
  }
  site::Node node = store_.read_node(owner, id).node;
  if (node.role != site::Role::assistant) site::refuse(Code::not_found, "answer {}: there is none", id);
  return node;
}

void AnswerBoard::answer_now(const std::string& owner, const std::string& id) {
  const auto answer = find(owner, id);
  if (!answer && store_.read_node(owner, id).node.role != site::Role::assistant)
    site::refuse(Code::not_found, "answer {}: there is none", id);
  if (!answer || !answer->answer_now()) site::refuse(Code::conflict, "answer {}: it is not thinking", id);
}

void AnswerBoard::attach(const std::string& owner, const std::string& id, std::optional<uint64_t> last_seen,
                         const std::shared_ptr<ResponseSink>& sink) {
  if (const auto answer = find(owner, id)) return answer->attach(sink, last_seen);
  site::ConversationStore::Located found = store_.read_node(owner, id);
  if (found.node.role != site::Role::assistant) site::refuse(Code::not_found, "answer {}: there is none", id);
  show_ended_answer(found.node, *sink);
}

site::Node AnswerBoard::latest(const std::string& owner, site::Node node) const {
  if (node.role != site::Role::assistant || node.state != AnswerState::running) return node;
  const auto answer = find(owner, node.id);
  return answer ? answer->node() : node;
}

void AnswerBoard::stop_conversation(const std::string& owner, const std::string& conversation) {
  std::vector<std::shared_ptr<LiveAnswer>> stopped;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, answer] : answers_) {
      if (key.first == owner && (conversation.empty() || answer->conversation() == conversation))
        stopped.push_back(answer);
    }
  }
  for (const auto& answer : stopped) answer->stop();
  for (const auto& answer : stopped) answer->wait_until_ended(kStopTime);
}

void AnswerBoard::stop_all() {
  std::vector<std::shared_ptr<LiveAnswer>> all;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [key, answer] : answers_) all.push_back(answer);
  }
  for (const auto& answer : all) answer->stop();
  preparing_.stop();
  std::vector<std::shared_ptr<CompletionJob>> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  for (const auto& job : jobs) {
    job->cancel();
    while (!job->ended()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  keeper_.request_stop();
  if (keeper_.joinable()) keeper_.join();
  store_changes();
}

void AnswerBoard::wake_keeper() {
  {
    const std::lock_guard lock(mutex_);
    some_over_ = true;
  }
  wake_.notify_one();
}

void AnswerBoard::keep(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return some_over_; });
      some_over_ = false;
    }
    store_changes();
  }
}

/// Writes all that changed, one transaction an owner, and lets go of what is over. What the store could not
/// take (the disk is full) stays here and is tried again each second.
void AnswerBoard::store_changes() {
  const std::lock_guard one(store_mutex_);
  std::map<std::string, std::vector<std::shared_ptr<LiveAnswer>>> by_owner;
  {
    const std::lock_guard lock(mutex_);
    const auto now = LiveAnswer::Clock::now();
    std::erase_if(jobs_, [](const auto& job) { return job->ended(); });
    std::erase_if(answers_, [&](const auto& entry) {
      const auto ended = entry.second->ended_at();
      return ended && now - *ended > kKeepEnded && !entry.second->is_unstored();
    });
    for (const auto& [key, answer] : answers_) {
      if (!answer->ended_at() || answer->is_unstored()) by_owner[key.first].push_back(answer);
    }
  }
  for (const auto& [owner, answers] : by_owner) {
    std::vector<site::Node> nodes;
    std::vector<std::shared_ptr<LiveAnswer>> over;
    for (const auto& answer : answers) {
      const bool ending = answer->is_over();  // before its text is taken
      if (auto node = answer->take_changes()) nodes.push_back(std::move(*node));
      if (ending) over.push_back(answer);
    }
    std::optional<ApiError> trouble;
    try {
      if (!nodes.empty()) store_.update_answers(owner, nodes);
      for (const auto& answer : answers) answer->stored();
    } catch (const std::exception& error) {
      const bool known =
          std::ranges::any_of(answers, [](const auto& answer) { return answer->is_unstored(); });
      if (!known) log_(fmt::format("answers could not be stored: {}", error.what()));
      trouble = ApiError(500, "", "not_stored", "the server could not store the answer; it goes on trying");
    }
    for (const auto& answer : over) answer->publish_end(trouble);
  }
}

}  // namespace r1::server
