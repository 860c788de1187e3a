// The chat site's back end behind /api/site (docs/site-api.md): src/server/content and the models put
// together with the models.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "server/api/json_fields.h"
#include "server/api/server_context.h"
#include "server/content/conversation_store.h"
#include "server/content/extraction.h"
#include "server/content/search_index.h"
#include "server/http/router.h"
#include "server/http/work_queue.h"
#include "server/site/answer_board.h"
#include "server/site/live_metrics.h"

namespace r1::server {

struct SiteOptions {
  std::filesystem::path conversations, index, sessions;  // SQLite files, made when they are not there
  std::vector<std::string> extract_child;                // FileExtractor's
  std::string searxng;                                   // address of a SearXNG service; empty: none
  bool secure_cookies = false;                           // under TLS
  int64_t owner_bytes = int64_t{1} << 30;                // of a key's conversations and files; 0: no limit
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

class SiteService {
 public:
  /// Opens the files. Throws Error.
  SiteService(ServerContext& context, const SiteOptions& options);
  ~SiteService() { stop(); }

  /// Once a second.
  void tick();
  /// The server is ending: what never ends by itself ends now.
  void drain() { metrics->close(); }
  /// Ends all answers and stores them.
  void stop();

  // For the routes; all safe to use from several threads.
  ServerContext& context;
  const SiteOptions options;
  site::ConversationStore store;
  site::FileExtractor extractor;
  site::SearchIndex index;
  AnswerBoard::Providers providers;
  std::shared_ptr<LiveMetrics> metrics;
  AnswerBoard answers;

  /// Taken while an uploaded document is read: some seconds for one that means harm. Others wait at the page,
  /// not in the threads that all requests need.
  std::counting_semaphore<> readers{kReaders};

  /// Reads an entry of the index in the background.
  void refresh_later(const std::string& entry);

 private:
  static constexpr int kReaders = 3;
  std::chrono::steady_clock::time_point next_tidying_;
  WorkQueue indexing_{{.threads = 1}};  // last: it uses the rest
};

/// Whose conversations a request under /api/site is about; nothing: of somebody who has not signed in.
std::optional<std::string> site_owner(const Authenticator& authenticator, const HttpRequest& request);

/// A request under /api/site, with who asks.
struct SiteRequest {
  const HttpRequest& http;
  std::string owner;             // of the conversations; empty: not signed in (open routes only)
  std::vector<std::string> ids;  // what the pattern's "*" stand for

  /// The body, for routes that take JSON.
  Json json() const { return parse_body(http.body.empty() ? "{}" : http.body); }
};

struct SiteRoute {
  std::string method, pattern;  // "/conversations/*/nodes/*"
  std::function<void(SiteService&, const SiteRequest&, const std::shared_ptr<ResponseSink>&)> handler;
  bool open = false;    // without signing in
  bool upload = false;  // takes any type of body
};

/// Answers before it returns.
using PlainSiteHandler = std::function<void(SiteService&, const SiteRequest&, ResponseSink&)>;
SiteRoute plain_route(std::string method, std::string pattern, PlainSiteHandler handler);

/// Everything under /api/site.
void add_site_routes(Router& router, SiteService& site);

// Its parts, by subject.
void add_session_routes(std::vector<SiteRoute>& routes);
void add_conversation_routes(std::vector<SiteRoute>& routes);
void add_answer_routes(std::vector<SiteRoute>& routes);
void add_library_routes(std::vector<SiteRoute>& routes);  // files, search, index

/// 200 (or another status) with JSON; never kept by caches.
void reply(ResponseSink& sink, int status, const Json& json);
void reply_nothing(ResponseSink& sink, std::vector<HttpHeader> headers = {});  // 204

}  // namespace r1::server
