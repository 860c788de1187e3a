#include "eval/endpoint_responder.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/chat_reply.h"
#include "eval/sampling_fields.h"
#include "formats/http_client.h"

namespace r1::eval {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::chrono::milliseconds kLongestDelay{60'000};
constexpr std::chrono::milliseconds kLongestRetryAfter{600'000};
constexpr int64_t kRefusals = 8;  // questions refused in a row, before any answer: it is not the questions

struct Job {
  std::string body;
  int64_t sample = 0;
  Responder::OnAnswer on_answer;
  int64_t attempts = 0;
  Clock::time_point not_before{};
  size_t last_endpoint = SIZE_MAX;
};

struct Finished {
  Responder::OnAnswer on_answer;
  int64_t sample;
  Generation generation;
};

struct Endpoint {
  std::string address;
  std::string problem{};  // the last failure
  bool refuses = false;   // wrong key, no such model: no use in asking again
  int64_t failures = 0;   // outages in a row
  Clock::time_point paused_until{};
};

/// How a request went wrong.
struct Failure {
  enum class Kind {
    outage,    // nothing to do with the question: no connection, overload
    attempt,   // this time: a broken stream, an internal error, a deadline
    question,  // the endpoint refuses this question
    endpoint,  // it refuses us: key, model
  };
  Kind kind = Kind::attempt;
  std::string text;
  std::chrono::milliseconds retry_after{0};
};

Failure::Kind kind_of(int status) {
  switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
      return Failure::Kind::endpoint;
    case 408:
    case 500:
      return Failure::Kind::attempt;
    default:
      if (status == 429 || status > 500) return Failure::Kind::outage;
      return Failure::Kind::question;
  }
}

std::chrono::milliseconds retry_after(const HttpResponse& response) {
  const std::string_view text = response.header("retry-after");  // seconds; a date is not looked at
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || error != std::errc() || !(seconds > 0)) return {};
  const auto time = std::chrono::milliseconds(static_cast<int64_t>(std::min(seconds, 1e6) * 1000));
  return std::min(time, kLongestRetryAfter);
}

std::string request_body(const EndpointOptions& options, const Question& question, uint64_t seed) {
  json body = {{"model", options.model}, {"stream", true}, {"stream_options", {{"include_usage", true}}}};
  json& messages = body["messages"] = json::array();
  for (const ChatMessage& message : question.messages)
    messages.push_back({{"role", message.role}, {"content", message.content.value_or("")}});
  if (question.options.max_tokens >= 0) body["max_tokens"] = question.options.max_tokens;
  const SamplingOptions& sampling = question.options.sampling;
  body["temperature"] = decimal(sampling.temperature);
  body["top_p"] = decimal(sampling.top_p);
  body["seed"] = seed;
  for (const auto& [name, value] : further_sampling(sampling)) {
    const bool whole = value == static_cast<double>(static_cast<int64_t>(value));
    body[name] = whole ? json(static_cast<int64_t>(value)) : json(value);
  }
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string endpoint_base(const std::string& address) {
  const size_t scheme = address.starts_with("http://") ? 7 : address.starts_with("https://") ? 8 : 0;
  const auto refuse = [&](const char* expected) {
    throw_error(ErrorKind::invalid_argument, "endpoint '{}': expected {}", address, expected);
  };
  if (scheme == 0 || address.size() == scheme) refuse("http://HOST:PORT or https://HOST/v1");
  if (address.find_first_of("?# \t\r\n") != std::string::npos)
    refuse("an address without '?', '#' and spaces");
  std::string base = address;
  static constexpr std::string_view kChat = "/chat/completions";
  const auto drop_slashes = [&] {
    while (base.ends_with('/')) base.pop_back();
  };
  drop_slashes();
  if (base.ends_with(kChat)) base.resize(base.size() - kChat.size());
  drop_slashes();
  const size_t path = base.find('/', scheme);
  if (base.find('@', scheme) < path) {
    throw_error(
        ErrorKind::invalid_argument,
        "endpoint: expected no user or password in the address; a key is read from R1_API_KEY or a file");
  }
  return path == std::string::npos ? base + "/v1" : base;
}

std::string first_model_of(const EndpointOptions& options) {
  std::string problems;
  HttpClient client;
  for (const std::string& address : options.addresses) {
    HttpRequest request;
    request.url = address + "/models";
    request.bearer_token = options.api_key;
    std::string problem;
    try {
      const HttpResponse response = client.send(request);
      const json answer = parse_json_or_discard<json>(response.body);
      const json::json_pointer first("/data/0/id");
      if (response.status == 200 && answer.is_object() && answer.contains(first) && answer[first].is_string())
        return answer[first].get<std::string>();
      problem = response.status == 200 ? fmt::format("{}: expected a list of models", request.url)
                                       : fmt::format("{}: status {}: {}", request.url, response.status,
                                                     error_message(response.body));
    } catch (const Error& error) {
      problem = error.what();
    }
    problems += (problems.empty() ? "" : "; ") + problem;
  }
  throw_error(ErrorKind::network, "{}", problems);
}

class EndpointResponder::State {
 public:
  explicit State(EndpointOptions options) : options_(std::move(options)) {
    if (options_.addresses.empty())
      throw_error(ErrorKind::invalid_argument, "expected at least one endpoint, found none");
    endpoints_.reserve(options_.addresses.size());
    for (const std::string& address : options_.addresses) endpoints_.push_back({address});
    threads_.reserve(endpoints_.size() * static_cast<size_t>(options_.concurrency));
    for (size_t endpoint = 0; endpoint < endpoints_.size(); ++endpoint) {
      for (int64_t i = 0; i < options_.concurrency; ++i)
        threads_.emplace_back([this, endpoint] { work(endpoint); });
    }
  }

  ~State() {
    stopping_ = true;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  void ask(const Question& question, const OnAnswer& on_answer) {
    const std::lock_guard lock(mutex_);
    for (int64_t sample = 0; sample < question.samples; ++sample) {
      const uint64_t seed = question.options.sampling.seed + static_cast<uint64_t>(sample);
      waiting_.push_back({request_body(options_, question, seed), sample, on_answer});
    }
    outstanding_ += question.samples;
    changed_.notify_all();
  }

  bool step() {
    std::deque<Finished> finished;
    {
      std::unique_lock lock(mutex_);
      if (outstanding_ == 0) return false;
      ended_.wait_for(lock, options_.step_time, [&] { return !finished_.empty() || failure_; });
      if (failure_ && finished_.empty()) throw Error(*failure_);
      finished.swap(finished_);
      outstanding_ -= std::ssize(finished);
    }
    for (Finished& one : finished) one.on_answer(one.sample, std::move(one.generation));
    return true;
  }

 private:
  void work(size_t index) {
    HttpClient client;
    std::unique_lock lock(mutex_);
    while (!stopping_ && !failure_) {
      std::optional<Job> job = next_job(index);
      if (!job) {
        changed_.wait_for(lock, std::min(options_.retry_delay, std::chrono::milliseconds(100)));
        continue;
      }
      const std::string address = endpoints_[index].address;
      const Clock::time_point began = Clock::now();
      lock.unlock();
      Generation generation;
      const std::optional<Failure> failure = attempt(client, address, job->body, generation);
      lock.lock();
      if (stopping_) return;
      if (failure) {
        take_failure(index, std::move(*job), *failure, began);
      } else {
        generation.summary.decode_seconds = std::chrono::duration<double>(Clock::now() - began).count();
        endpoints_[index].failures = 0;
        probing_.erase(index);
        has_answered_ = true;
        finish(std::move(*job), std::move(generation));
      }
    }
  }

  /// The first waiting one that this endpoint may have now.
  std::optional<Job> next_job(size_t index) {
    const Endpoint& endpoint = endpoints_[index];
    const Clock::time_point now = Clock::now();
    if (endpoint.refuses || now < endpoint.paused_until) return std::nullopt;
    if (endpoint.failures > 0 && probing_.count(index) != 0) return std::nullopt;
    const bool has_others = std::ranges::any_of(endpoints_, [&](const Endpoint& other) {
      return &other != &endpoint && !other.refuses && now >= other.paused_until;
    });
    const auto found = std::ranges::find_if(waiting_, [&](const Job& job) {
      return job.not_before <= now && !(has_others && job.last_endpoint == index);
    });
    if (found == waiting_.end()) return std::nullopt;
    Job job = std::move(*found);
    waiting_.erase(found);
    if (endpoint.failures > 0) probing_.insert(index);
    return job;
  }

  /// Nothing: it went well.
  std::optional<Failure> attempt(HttpClient& client, const std::string& address, const std::string& body,
                                 Generation& generation) const {
    ChatReply reply;
    HttpRequest request;
    request.url = address + "/chat/completions";
    request.bearer_token = options_.api_key;
    request.json_body = body;
    request.silence = options_.silence;
    request.time = options_.time;
    request.cancelled = [this] { return stopping_.load(); };
    request.on_data = [&](std::span<const char> bytes) {
      reply.add({bytes.data(), bytes.size()});
      return true;
    };
    HttpResponse response;
    const Clock::time_point began = Clock::now();
    try {
      response = client.send(request);
    } catch (const Error& error) {
      const bool timed_out = Clock::now() - began >= std::min(options_.silence, options_.time);
      return Failure{timed_out ? Failure::Kind::attempt : Failure::Kind::outage, error.what()};
    }
    if (response.status != 200) {
      return Failure{kind_of(response.status),
                     fmt::format("{}: status {}: {}", address, response.status, error_message(response.body)),
                     retry_after(response)};
    }
    try {
      generation = reply.finish();
    } catch (const Error& error) {
      return Failure{Failure::Kind::attempt, fmt::format("{}: {}", address, error.what())};
    }
    return std::nullopt;
  }

  void take_failure(size_t index, Job job, const Failure& failure, Clock::time_point began) {
    Endpoint& endpoint = endpoints_[index];
    endpoint.problem = failure.text;
    probing_.erase(index);
    job.last_endpoint = index;
    const auto delay = [&](int64_t failures) {
      const auto doubled = options_.retry_delay * (int64_t{1} << std::min<int64_t>(failures - 1, 16));
      return std::max(std::min<std::chrono::milliseconds>(doubled, kLongestDelay), failure.retry_after);
    };
    switch (failure.kind) {
      case Failure::Kind::outage:
        // Requests that were under way when it began tell nothing new.
        if (endpoint.failures == 0 || began >= endpoint.paused_until) {
          endpoint.paused_until = Clock::now() + delay(++endpoint.failures);
        }
        break;
      case Failure::Kind::endpoint:
        endpoint.refuses = true;
        break;
      case Failure::Kind::attempt:
        job.not_before = Clock::now() + delay(++job.attempts);
        break;
      case Failure::Kind::question:
        job.attempts = options_.attempts;
        if (!has_answered_ && ++refusals_ >= kRefusals) give_up(failure.text);
        break;
    }
    if (job.attempts >= options_.attempts) {
      Generation generation;
      generation.end = AnswerEnd::error;
      generation.summary.error = failure.kind == Failure::Kind::question
                                     ? failure.text
                                     : fmt::format("{} (after {} attempts)", failure.text, job.attempts);
      finish(std::move(job), std::move(generation));
    } else {
      waiting_.push_front(std::move(job));
    }
    check_endpoints();
    changed_.notify_all();
  }

  void check_endpoints() {
    std::string problems;
    for (const Endpoint& endpoint : endpoints_) {
      if (!endpoint.refuses && endpoint.failures < options_.outage_attempts) return;
      problems += (problems.empty() ? "" : "; ") + endpoint.problem;
    }
    give_up("no endpoint answers: " + problems);
  }

  void give_up(const std::string& text) {
    if (!failure_) failure_ = Error(ErrorKind::network, text);
    ended_.notify_all();
  }

  void finish(Job job, Generation generation) {
    finished_.push_back({std::move(job.on_answer), job.sample, std::move(generation)});
    ended_.notify_all();
  }

  const EndpointOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_, ended_;
  std::vector<Endpoint> endpoints_;
  std::set<size_t> probing_;  // failing endpoints that have been sent the one request that will tell
  std::deque<Job> waiting_;
  std::deque<Finished> finished_;
  std::optional<Error> failure_;
  int64_t outstanding_ = 0, refusals_ = 0;
  bool has_answered_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<std::jthread> threads_;  // last: they use what is above
};

EndpointResponder::EndpointResponder(EndpointOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
EndpointResponder::~EndpointResponder() = default;

void EndpointResponder::ask(const Question& question, const OnAnswer& on_answer) {
  state_->ask(question, on_answer);
}

bool EndpointResponder::step() {
  return state_->step();
}

}  // namespace r1::eval
