// The chat site's back end, asked over its routes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/site/site_service.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server::test {

struct SiteEvent {
  uint64_t id = 0;
  std::string name;
  Json data;
};

inline std::vector<SiteEvent> read_events(const std::string& body) {
  std::vector<SiteEvent> events;
  std::istringstream in(body);
  SiteEvent event;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("id: ")) event.id = std::stoull(line.substr(4));
    if (line.starts_with("event: ")) event.name = line.substr(7);
    if (line.starts_with("data: ")) event.data = Json::parse(line.substr(6));
    if (line.empty()) events.push_back(std::exchange(event, {}));
  }
  return events;
}

/// A server with a site, in a folder of its own or in one that stays. open() starts it, and again.
class SiteServer {
 public:
  SiteServer() : temporary_(std::make_unique<r1::test::TemporaryFolder>()), folder_(temporary_->path) {}
  explicit SiteServer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void open(ApplicationOptions options) {
    server_.reset();
    server_ = std::make_unique<TestServer>(std::move(options), 4096);
    SiteOptions site;
    site.conversations = folder_ / "conversations.db";
    site.index = folder_ / "index.db";
    site.sessions = folder_ / "sessions.db";
    site.extract_child = extract_child_;
    server_->application->open_site(site);
  }

  Answer ask(const std::string& method, const std::string& path, const Json& body = nullptr,
             std::vector<HttpHeader> headers = {}) {
    headers.push_back({"X-R1-Site", "1"});
    headers.push_back({"Content-Type", "application/json"});
    return server_->ask(method, "/api/site" + path, body.is_null() ? "" : body.dump(), std::move(headers));
  }
  std::shared_ptr<test::RecordingSink> watch(const std::string& answer,
                                             std::vector<HttpHeader> headers = {}) {
    return server_->send("GET", "/api/site/answers/" + answer + "/events", "", std::move(headers));
  }
  /// A request with a query, which the test server's path cannot have.
  Answer ask_with_query(const std::string& method, const std::string& path, const std::string& query,
                        const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = "/api/site" + path;
    request.query = query;
    request.body = body;
    request.headers = {{"Host", "localhost:8080"}, {"X-R1-Site", "1"}};
    auto sink = std::make_shared<test::RecordingSink>();
    server_->application->handle(std::make_shared<const HttpRequest>(request), sink);
    const HttpResponse& response = sink->wait();
    return {response.status, Json::parse(response.body, nullptr, false), response.body, response.headers};
  }

  void question(const std::string& id, const std::string& content, const Json& parent = nullptr,
                const Json& files = Json::array()) {
    ask("PUT", "/conversations/conversation", {{"title", "A title"}, {"created", 1}});
    const Answer made = ask("PUT", "/conversations/conversation/nodes/" + id,
                            {{"parent", parent}, {"created", 2}, {"content", content}, {"files", files}});
    ASSERT_EQ(made.status, 201) << made.body;
  }
  Answer start(const std::string& id, const std::string& parent, Json more = Json::object()) {
    Json body = {{"id", id}, {"conversation", "conversation"}, {"parent", parent}, {"model", nullptr}};
    body.update(more);
    return ask("POST", "/answers", body);
  }
  /// Starts an answer and waits for its end; its node in the store.
  Json answer(const std::string& id, const std::string& parent, const Json& more = Json::object()) {
    const Answer started = start(id, parent, more);
    EXPECT_EQ(started.status, 201) << started.body;
    watch(id)->wait();
    return node(id);
  }
  Json node(const std::string& id) {
    const Json conversation = ask("GET", "/conversations/conversation").json;
    for (const Json& one : conversation["nodes"]) {
      if (one["id"] == id) return one;
    }
    return nullptr;
  }

  const std::unique_ptr<r1::test::TemporaryFolder> temporary_;
  const std::filesystem::path folder_;
  std::vector<std::string> extract_child_ = {"/bin/false"};
  std::unique_ptr<TestServer> server_;
};

class SiteTest : public ::testing::Test, protected SiteServer {
 protected:
  SiteTest() { open({}); }
};

}  // namespace r1::server::test
