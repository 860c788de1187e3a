// Who may ask: Host, Origin, keys, methods; and how the server ends.
#include <thread>

#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Json;
using test::TestServer;
using ::testing::HasSubstr;

int status_with(TestServer& server, const std::string& host, const std::string& origin = "") {
  auto request = std::make_shared<HttpRequest>();
  request->method = "GET";
  request->path = "/v1/models";
  request->headers = {{"Host", host}};
  if (!origin.empty()) request->headers.push_back({"Origin", origin});
  auto sink = std::make_shared<test::RecordingSink>();
  server.application->handle(request, sink);
  return sink->wait().status;
}

TEST(Application, AnswersOnlyItsOwnNamesAndItsOwnPages) {
  ApplicationOptions options;
  options.allowed_hosts = {"box.lan"};
  TestServer server(options);
  for (const char* host : {"localhost", "localhost:1234", "127.0.0.1:8080", "[::1]:8080", "BOX.lan:1"})
    EXPECT_EQ(status_with(server, host), 200) << host;
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]",
                           "localhost:80@evil.example", "localhost:evil.example", "127.0.0.1:80:80"})
    EXPECT_EQ(status_with(server, host), 403) << host;
  EXPECT_EQ(status_with(server, "localhost:80", "http://localhost:80"), 200);
  for (const char* origin : {"http://evil.example", "null", "http://localhost:81", "http://localhost"})
    EXPECT_EQ(status_with(server, "localhost:80", origin), 403) << origin;
}

TEST(Application, LetsOtherOriginsInWhenToldTo) {
  ApplicationOptions options;
  options.allowed_origins = {"https://app.example"};
  TestServer server(options);
  EXPECT_EQ(status_with(server, "localhost", "https://app.example"), 200);
  EXPECT_EQ(status_with(server, "localhost", "https://other.example"), 403);
  // The refusal said the stranger's name as one that is let in, so that its page could read the refusal.
  EXPECT_EQ(server.ask("GET", "/v1/models", "", {{"Origin", "https://other.example"}})
                .header("access-control-allow-origin"),
            "");
  const auto preflight =
      server.ask("OPTIONS", "/v1/chat/completions", "", {{"Origin", "https://app.example"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "https://app.example");
  EXPECT_THAT(preflight.header("access-control-allow-headers"), HasSubstr("Authorization"));
}

// The official clients send headers of their own; without them in the answer a browser sends nothing.
TEST(Application, LetsPagesOfAllowedOriginsSendAnyHeader) {
  ApplicationOptions options;
  options.allowed_origins = {"https://app.example"};
  TestServer server(options);
  const char* const names =
      "authorization,content-type,openai-beta,x-stainless-lang,x-stainless-retry-count,"
      "anthropic-dangerous-direct-browser-access";
  const std::vector<HttpHeader> asked = {{"Access-Control-Request-Method", "POST"},
                                         {"Access-Control-Request-Headers", names}};
  const auto preflight = [&](const char* origin) {
    std::vector<HttpHeader> headers = asked;
    headers.push_back({"Origin", origin});
    return server.ask("OPTIONS", "/v1/chat/completions", "", headers);
  };
  EXPECT_EQ(preflight("https://app.example").header("access-control-allow-headers"), names);
  EXPECT_EQ(preflight("https://other.example").header("access-control-allow-headers"), "");
  EXPECT_THAT(server.ask("GET", "/v1/models", "", {{"Origin", "https://app.example"}})
                  .header("access-control-expose-headers"),
              HasSubstr("request-id"));
}

TEST(Application, AsksForTheKey) {
  ApplicationOptions options;
  options.api_key = "secret";
  TestServer server(options);
  EXPECT_EQ(server.ask("GET", "/v1/models").status, 401);
  EXPECT_EQ(server.ask("GET", "/v1/models", "", {{"Authorization", "Bearer wrong!"}}).status, 401);
  EXPECT_EQ(server.ask("GET", "/v1/models", "", {{"Authorization", "Bearer secret"}}).status, 200);
  EXPECT_EQ(server.ask("GET", "/v1/models", "", {{"X-Api-Key", "secret"}}).status, 200);
  EXPECT_EQ(server.ask("GET", "/health").status, 200);
  EXPECT_EQ(server.ask("GET", "/metrics").status, 401);
}

TEST(Application, KnowsItsPathsAndMethods) {
  TestServer server;
  EXPECT_EQ(server.ask("GET", "/nothing").status, 404);
  const auto wrong = server.ask("GET", "/v1/chat/completions");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "POST");
  EXPECT_EQ(server.ask("GET", "/v1/models/small").json["id"], "small");
  EXPECT_EQ(server.ask("GET", "/v1/models/other").status, 404);
  EXPECT_EQ(server.ask("GET", "/version").json["version"], "test");
  // Every path that takes JSON: those outside of /v1 took forms of other pages.
  for (const char* path : {"/v1/chat/completions", "/chat/completions", "/v1/messages", "/tokenize"}) {
    EXPECT_EQ(server.ask("POST", path, "{}", {{"Content-Type", "text/plain"}}).status, 415) << path;
    EXPECT_EQ(server.ask("POST", path, "{}", {{"Content-Type", "multipart/form-data"}}).status, 415) << path;
  }
}

TEST(Application, DrainsAndThenEndsWhatStillRuns) {
  TestServer server;
  server.fake->before_pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
  const auto sink = server.send("POST", "/v1/chat/completions",
                                Json{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                                     {"stream", true},
                                     {"max_tokens", 900},
                                     {"loop_detection", false},
                                     {"ignore_eos", true}}
                                    .dump());
  sink->wait_for_text("reasoning");
  server.application->drain();
  EXPECT_EQ(server.ask("GET", "/health").status, 503);
  const auto late = server.chat({});
  EXPECT_EQ(late.status, 503);
  EXPECT_NE(late.header("retry-after"), "");
  // The running answer can be watched and steered to its end.
  EXPECT_TRUE(
      server.wait_for_metric("r1_requests_running{model=\"small\"}", [](double count) { return count > 0; }));
  const std::string begun = sink->text();
  const std::string id = test::events(begun.substr(0, begun.find("\n\n") + 2))[0]["id"];
  EXPECT_EQ(server.ask("POST", "/v1/requests/" + id + "/answer_now").status, 200);
  EXPECT_EQ(server.ask("GET", "/v1/streams/" + id).status, 404) << "it was not asked to be resumable";
  server.application->cancel_all();
  sink->wait();
  EXPECT_THAT(sink->whole.body, HasSubstr("\"error\":{\"message\":\"the server is shutting down\""));
  EXPECT_THAT(sink->whole.body, ::testing::Not(HasSubstr("[DONE]")));
}

// The clients were gone and the server went while the engine was in the middle of a pass: its end was
// reported to metrics that had been freed.
TEST(Application, WaitsForThePassesOfClientsThatAreGone) {
  std::atomic<bool> inside{false};
  {
    TestServer server;
    server.fake->before_pass = [&] {
      inside = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      inside = false;
    };
    const auto sink =
        server.send("POST", "/v1/completions", R"({"prompt": "a", "max_tokens": 100, "ignore_eos": true})");
    while (!inside) std::this_thread::yield();
    sink->hang_up();
  }
  EXPECT_FALSE(inside);
}

}  // namespace
}  // namespace r1::server
