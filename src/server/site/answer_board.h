// The answers of the chat site that are being made, and what users do with them. An answer begins in the
// background (a search, a model to load), runs in a model's engine, and is written to the store once a second
// and when it ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/api/server_context.h"
#include "server/content/conversation_store.h"
#include "server/content/search_provider.h"
#include "server/http/work_queue.h"
#include "server/site/live_answer.h"

namespace r1::server {

/// Owners of conversations: whoever runs the server, and this with a key's name behind it.
inline constexpr std::string_view kLocalOwner = "local", kKeyOwner = "key:";

struct AnswerRequest {
  std::string id, conversation, parent;
  std::string model;  // empty: the default one
  bool deep_think = true, search = false;
  std::string search_provider;  // empty: the first that is ready
  std::string system_prompt;
  // Nothing: the model's published values, no limit but the context, a random seed.
  std::optional<double> temperature, top_p;
  std::optional<int64_t> max_tokens, thinking_budget, seed;
};

/// Safe to use from several threads. Functions throw ApiError and site::SiteError.
class AnswerBoard {
 public:
  using Providers = std::vector<std::unique_ptr<site::SearchProvider>>;
  using Log = std::function<void(const std::string&)>;

  /// All of them must outlive the board.
  AnswerBoard(ServerContext& context, site::ConversationStore& store, Providers& providers, Log log);
  ~AnswerBoard() { stop_all(); }

  struct Started {
    site::Node node;
    bool is_new;
  };
  Started start(const std::string& owner, const AnswerRequest& request);
  site::Node go_on(const std::string& owner, const std::string& id);
  site::Node stop(const std::string& owner, const std::string& id);
  void answer_now(const std::string& owner, const std::string& id);
  void attach(const std::string& owner, const std::string& id, std::optional<uint64_t> last_seen,
              const std::shared_ptr<ResponseSink>& sink);

  /// The node as it stands, if it is being made.
  site::Node latest(const std::string& owner, site::Node node) const;
  /// Ends what runs in a conversation (empty: in all of the owner's) and waits for it.
  void stop_conversation(const std::string& owner, const std::string& conversation);
  /// Ends everything, waits for it, and stores it. Nothing can be started afterwards.
  void stop_all();

  /// The provider of that name; the first that is ready for an empty one. SiteError(search_failed).
  site::SearchProvider& provider(const std::string& name) const;

 private:
  using Key = std::pair<std::string, std::string>;  // owner, id

  std::shared_ptr<LiveAnswer> find(const std::string& owner, const std::string& id) const;
  std::shared_ptr<LiveAnswer> put(const std::string& owner, const std::string& conversation, site::Node node);
  std::shared_ptr<RateTicket> admit(const std::string& owner);
  void prepare_later(const std::shared_ptr<LiveAnswer>& answer, bool begun,
                     const std::shared_ptr<RateTicket>& ticket);
  void prepare(const std::shared_ptr<LiveAnswer>& answer, bool begun,
               const std::shared_ptr<RateTicket>& ticket, const std::stop_token& stop);
  void check_fits(const std::string& owner, const AnswerRequest& request) const;
  void wake_keeper();
  void keep(const std::stop_token& stop);
  void store_changes();

  ServerContext& context_;
  site::ConversationStore& store_;
  Providers& providers_;
  const Log log_;

  mutable std::mutex mutex_;  // guards the next four
  std::condition_variable_any wake_;
  bool some_over_ = false, closed_ = false;
  std::map<Key, std::shared_ptr<LiveAnswer>> answers_;
  std::vector<std::shared_ptr<CompletionJob>> jobs_;

  std::mutex store_mutex_;  // one writer of changes at a time
  WorkQueue preparing_{{.threads = 4, .running = 2, .waiting = 32}};
  std::jthread keeper_;  // last: it uses the rest
};

}  // namespace r1::server
