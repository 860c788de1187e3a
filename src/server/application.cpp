#include "server/application.h"

#include <algorithm>
#include <atomic>

#include "base/memory_reserve.h"
#include "server/api/anthropic_messages.h"
#include "server/api/model_routes.h"
#include "server/api/openai_chat.h"
#include "server/api/openai_completions.h"
#include "server/api/openai_embeddings.h"
#include "server/api/openai_responses.h"
#include "server/http/api_error.h"
#include "server/http/host_name.h"
#include "server/http/random_id.h"
#include "server/site/site_pages.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

/// Adds what every answer carries, and counts it.
class DecoratedSink : public ResponseSink {
 public:
  DecoratedSink(std::shared_ptr<ResponseSink> inner, std::vector<HttpHeader> headers, std::string route,
                Metrics& metrics)
      : inner_(std::move(inner)), headers_(std::move(headers)), route_(std::move(route)), metrics_(metrics) {}

  /// Behind an answer: memory ran out while it was made. A stream ends there, a whole one was the answer.
  void respond(HttpResponse response) override {
    const State before = state_.exchange(State::answered);
    if (before == State::answered) return;
    if (before == State::streams) return inner_->end_stream();
    metrics_.count_response(route_, response.status);
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
    inner_->respond(std::move(response));
  }
  void begin_stream(int status, std::vector<HttpHeader> headers, std::string heartbeat) override {
    if (state_.exchange(State::streams) != State::open) return;
    metrics_.count_response(route_, status);
    headers.insert(headers.end(), headers_.begin(), headers_.end());
    inner_->begin_stream(status, std::move(headers), std::move(heartbeat));
  }
  bool send(std::string_view bytes) override { return inner_->send(bytes); }
  void end_stream() override { inner_->end_stream(); }
  void on_abort(std::function<void()> callback) override { inner_->on_abort(std::move(callback)); }

 private:
  std::shared_ptr<ResponseSink> inner_;
  std::vector<HttpHeader> headers_;
  enum class State { open, streams, answered };
  std::atomic<State> state_{State::open};
  std::string route_;
  Metrics& metrics_;
};

/// Nothing new begins while the reserve is not whole.
void check_memory_is_whole() {
  if (memory_is_whole()) return;
  ApiError error(503, "", "out_of_memory", "memory is short: try again in a moment");
  error.headers.push_back({"Retry-After", "1"});
  throw error;
}

constexpr size_t kStrangersBody = size_t{16} << 10;  // of requests that presented no key where one is needed

constexpr size_t kMaxJsonTexts = 250'000;  // of texts, objects and lists in a body

/// A body of few bytes can be a great many values, each with memory of its own and a turn in every loop. Numbers
/// are not counted: they are cheap, and token ids are many.
void check_json_size(std::string_view body) {
  size_t count = 0;
  bool in_text = false;
  for (size_t at = 0; at < body.size(); ++at) {
    const char c = body[at];
    if (in_text) {
      if (c == '\\') ++at;
      in_text = c != '"';
    } else if (c == '"' || c == '{' || c == '[') {
      in_text = c == '"';
      ++count;
    }
  }
  if (count > kMaxJsonTexts)
    throw ApiError(400, "", "too_many_values",
                   fmt::format("the body: expected at most {} texts, objects and lists, found {}",
                               kMaxJsonTexts, count));
}

/// Whether the limits of a key count for this path.
bool is_generating(const HttpRequest& head) {
  return head.method == "POST" &&
         (head.path.ends_with("/completions") || head.path.ends_with("/embeddings") ||
          head.path.ends_with("/responses") || head.path.ends_with("/messages"));
}

/// The chat site's back end is for its own page alone, whoever else may call the API.
bool is_private(const HttpRequest& request) {
  return request.path.starts_with("/api/site/");
}

}  // namespace

Application::Application(ModelHost& models, ApplicationOptions options)
    : options_(std::move(options)),
      jobs_(options_.resume_time),
      authenticator_(options_.api_key, options_.keys),
      limiter_(options_.keys),
      context_{models, metrics_, jobs_, authenticator_, limiter_, draining_, options_.version} {
  add_model_routes(router_, context_);
  add_chat_routes(router_, context_);
  add_completion_routes(router_, context_);
  add_response_routes(router_, context_);
  add_embedding_routes(router_, context_);
  add_anthropic_routes(router_, context_);
  add_site_pages(router_, site_assets());
}

void Application::open_site(const SiteOptions& options) {
  authenticator_.keep_sessions(options.sessions);
  site_ = std::make_unique<SiteService>(context_, options);
  add_site_routes(router_, *site_);
}

void Application::cancel_all() {
  jobs_.cancel_all();
  if (site_) site_->stop();
  store_usage();
}

/// What keys used since the last time, to their counters.
void Application::store_usage() {
  if (options_.keys == nullptr) return;
  const std::map<std::string, KeyUsage> usage = limiter_.take_usage();
  if (usage.empty()) return;
  try {
    options_.keys->add_usage(usage);
  } catch (const Error&) {
    // The disk is full: the limits hold all the same, these figures are lost.
  }
}

Application::~Application() {
  cancel_all();  // a pass may be under way whose client is gone: its end reports to the metrics here
}

bool Application::is_local_name(std::string_view host) const {
  if (is_loopback_name(host)) return true;
  const std::string_view name = host_without_port(host);
  return std::ranges::any_of(options_.allowed_hosts,
                             [&](const std::string& allowed) { return equal_ignoring_case(name, allowed); });
}

/// Of another origin whose pages may call.
bool Application::is_allowed_origin(const HttpRequest& request) const {
  const std::string_view origin = request.header("origin");
  return !origin.empty() && !is_private(request) &&
         std::ranges::any_of(options_.allowed_origins, [&](const std::string& allowed) {
           return allowed == "*" || equal_ignoring_case(allowed, origin);
         });
}

void Application::check_host_and_origin(const HttpRequest& request) const {
  const std::string_view host = request.header("host");
  // A page of another site may have pointed its own name at this machine: then the name gives it away.
  if (options_.loopback && !host.empty() && !is_local_name(host)) {
    throw ApiError(
        403, "Host", "host_not_allowed",
        fmt::format("Host: '{}' is not a name of this server (--allowed-host)", host.substr(0, 100)));
  }
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return;
  for (const char* scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme) &&
        equal_ignoring_case(origin.substr(std::string_view(scheme).size()), host))
      return;
  }
  if (is_allowed_origin(request)) return;
  throw ApiError(
      403, "Origin", "origin_not_allowed",
      fmt::format("Origin: pages of '{}' may not call this server (--cors-origin)", origin.substr(0, 100)));
}

std::vector<HttpHeader> Application::cors_headers(const HttpRequest& request) const {
  if (!is_allowed_origin(request)) return {};
  return {{"Access-Control-Allow-Origin", std::string(request.header("origin"))},
          {"Access-Control-Expose-Headers", "x-request-id, request-id, Retry-After"},
          {"Vary", "Origin"}};
}

std::string Application::authenticate(const HttpRequest& request) const {
  if (!authenticator_.key_needed()) return "";
  std::string_view given = request.header("authorization");
  if (given.size() > 7 && equal_ignoring_case(given.substr(0, 7), "bearer ")) {
    given.remove_prefix(7);
  } else {
    given = request.header("x-api-key");
  }
  if (given.empty())
    throw ApiError(401, "", "missing_api_key", "an API key is needed: Authorization: Bearer KEY");
  if (auto name = authenticator_.name_of(given)) return *name;
  throw ApiError(401, "", "invalid_api_key", "the API key is not valid");
}

void Application::dispatch(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
  check_host_and_origin(request);
  if (request.method == "OPTIONS") {
    HttpResponse response{204, {}, ""};
    if (!cors_headers(request).empty()) {
      // Clients add headers of their own (x-stainless-*, openai-beta): the pages that may call may send any.
      const std::string_view asked = request.header("access-control-request-headers");
      response.headers = {{"Access-Control-Allow-Methods", "GET, POST, DELETE, PATCH, PUT, OPTIONS"},
                          {"Access-Control-Allow-Headers",
                           asked.empty() ? "Authorization, Content-Type, X-Api-Key" : std::string(asked)},
                          {"Access-Control-Max-Age", "600"},
                          {"Vary", "Access-Control-Request-Headers"}};
    }
    return sink->respond(std::move(response));
  }
  std::string allowed;
  HttpRequest copy = request;
  const Route* route = router_.find(request.method, request.path, copy.path_rest, allowed);
  if (route == nullptr) {
    if (allowed.empty())
      throw ApiError(404, "", "not_found", fmt::format("there is no path {}", request.path.substr(0, 200)));
    ApiError error(405, "", "method_not_allowed",
                   fmt::format("{} only takes {}", request.path.substr(0, 200), allowed));
    error.headers.push_back({"Allow", allowed});
    throw error;
  }
  if (!route->open) copy.key_name = authenticate(request);
  if (!route->quick) check_memory_is_whole();
  if (draining_ && !route->quick && !route->while_draining) {
    ApiError error(503, "", "draining", "the server is shutting down");
    error.headers.push_back({"Retry-After", "5"});
    throw error;
  }
  if (!is_private(request)) check_json_size(request.body);
  if (request.method == "POST" && !request.body.empty()) {
    // A form of another page can post text/plain without asking first; JSON it cannot.
    const std::string_view type = request.header("content-type");
    const bool json = type.empty() || equal_ignoring_case(type.substr(0, type.find(';')), "application/json");
    if (!is_private(request) && !json)
      throw ApiError(415, "Content-Type", "unsupported_media_type",
                     "Content-Type: expected application/json");
  }
  route->handler(copy, sink);
}

void Application::handle(const std::shared_ptr<const HttpRequest>& request,
                         const std::shared_ptr<ResponseSink>& sink) {
  begin_memory_check();
  std::shared_ptr<ResponseSink> answer = sink;  // soon with what every answer carries
  const auto tell = [&](const ApiError& error) {
    answer->respond(is_anthropic_path(request->path) ? anthropic_error_response(error, request->id)
                                                     : error_response(error));
  };
  try {
    try {
      std::string rest, allowed;
      const Route* route = router_.find(request->method, request->path, rest, allowed);
      std::vector<HttpHeader> headers = cors_headers(*request);
      headers.push_back({"x-request-id", request->id});
      headers.push_back({"request-id", request->id});  // Anthropic's name
      answer = std::make_shared<DecoratedSink>(sink, std::move(headers),
                                               route == nullptr ? "other" : route->path, metrics_);
      dispatch(*request, answer);
    } catch (const ApiError& error) {
      tell(error);
    } catch (const Error& error) {
      tell(to_api_error(error));
    } catch (const std::bad_alloc&) {
      tell({503, "", "out_of_memory", "out of memory"});
    } catch (const std::exception& error) {
      tell({500, "", "internal_error", error.what()});
    }
  } catch (const std::bad_alloc&) {  // on the way to the answer; what the request held is free by now
    tell({503, "", "out_of_memory", "out of memory"});
  }
}

/// Who is charged for the request, and how long its body may be. Throws ApiError.
HttpAdmission Application::admit_by_route(const HttpRequest& head) {
  check_host_and_origin(head);
  std::string rest, allowed;
  const Route* route = router_.find(head.method, head.path, rest, allowed);
  HttpAdmission stranger{{}, "stranger", kStrangersBody};
  if (head.method == "OPTIONS" || route == nullptr) return stranger;
  if (!authenticator_.key_needed()) return {};
  if (is_private(head)) {
    if (auto owner = site_owner(authenticator_, head)) return {{}, *std::move(owner)};
    return stranger;
  }
  if (route->open) return stranger;
  const std::string key = authenticate(head);
  if (is_generating(head)) limiter_.check(key);
  return {{}, std::string(kKeyOwner) + key};
}

HttpAdmission Application::admit(const HttpRequest& head) {
  const auto refused = [&](const ApiError& error) {
    const std::string id = random_id("req_");
    HttpAdmission admission;
    admission.refusal =
        is_anthropic_path(head.path) ? anthropic_error_response(error, id) : error_response(error);
    for (HttpHeader& header : cors_headers(head)) admission.refusal->headers.push_back(std::move(header));
    admission.refusal->headers.push_back({"x-request-id", id});
    admission.refusal->headers.push_back({"request-id", id});
    metrics_.count_response("refused by its head", error.status);
    return admission;
  };
  try {
    return admit_by_route(head);
  } catch (const ApiError& error) {
    return refused(error);
  } catch (const Error& error) {
    return refused(to_api_error(error));
  } catch (const std::bad_alloc&) {
    return refused({503, "", "out_of_memory", "out of memory"});
  } catch (const std::exception& error) {
    return refused({500, "", "internal_error", error.what()});
  }
}

bool Application::is_quick(const HttpRequest& request) const {
  std::string rest, allowed;
  const Route* route = router_.find(request.method, request.path, rest, allowed);
  return route == nullptr || route->quick;
}

HttpServerHooks Application::hooks() {
  return {[this](const std::shared_ptr<const HttpRequest>& request,
                 const std::shared_ptr<ResponseSink>& sink) { handle(request, sink); },
          [this](const HttpRequest& request) { return is_quick(request); },
          [](int status, const std::string& message) {
            HttpResponse response = error_response({status, "", "bad_request", message});
            response.headers.push_back({"x-request-id", random_id("req_")});
            return response;
          },
          [this](const HttpRequest& head) { return admit(head); }};
}

void Application::drain() {
  draining_ = true;
  if (site_) site_->drain();
}

void Application::tidy() {
  memory_is_whole();  // takes back what is missing of the reserve
  jobs_.tidy();
  context_.models.unload_idle();
  store_usage();
  if (site_) site_->tick();
}

}  // namespace r1::server
