// API keys: made once, kept as hashes, limited and counted.
#include <fstream>

#include "server/access/key_store.h"
#include "server/access/rate_limiter.h"
#include "server/http/api_error.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server {
namespace {

using test::Answer;
using test::TestServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<HttpHeader> bearer(const std::string& key) {
  return {{"Authorization", "Bearer " + key}};
}

TEST(KeyStore, ShowsAKeyOnceAndKeepsItsHash) {
  const r1::test::TemporaryFolder folder;
  const auto file = folder / "keys.db";
  std::string key;
  {
    KeyStore store(file);
    key = store.create("ada", {2, 1000});
    EXPECT_THAT(key, StartsWith("sk-r1-"));
    EXPECT_EQ(key.size(), 54U);
    EXPECT_NE(store.create("bob", {}), key);
    EXPECT_THROW(store.create("ada", {}), Error);
    for (const char* name : {"", "a b", "command-line", "ü"})
      EXPECT_THROW(store.create(name, {}), Error) << name;
    store.add_usage({{"ada", {1, 20, 30}}, {"nobody", {1, 1, 1}}});
  }
  for (const char* suffix : {"", "-wal"}) {
    std::ifstream in(file.string() + suffix, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_THAT(bytes, Not(HasSubstr(key.substr(6, 40)))) << "the key itself is nowhere";
  }
  KeyStore store(file);
  ASSERT_TRUE(store.find_key(key));
  EXPECT_EQ(store.find_key(key)->name, "ada");
  EXPECT_EQ(store.find_key(key)->limits.concurrency, 2);
  EXPECT_EQ(store.find_key(key)->usage.generated_tokens, 30);
  EXPECT_EQ(store.find_key(key)->hint, key.substr(50));
  EXPECT_FALSE(store.find_key(key + "0"));
  store.revoke("ada");
  EXPECT_FALSE(store.find_key(key));
  EXPECT_THROW(store.revoke("ada"), Error);
  EXPECT_EQ(store.list().size(), 2U);
}

TEST(RateLimiter, CountsTheLastMinuteAndSaysWhenToComeBack) {
  KeyStore store(":memory:");
  store.create("ada", {0, 100});
  auto now = std::chrono::steady_clock::now();
  RateLimiter limiter(&store, [&] { return now; });
  EXPECT_EQ(limiter.admit(""), nullptr) << "no key, nothing to count";
  for (int i = 0; i < 9; ++i) limiter.admit("command-line")->count_prompt(1000);
  EXPECT_EQ(limiter.figures()["command-line"].total.prompt_tokens, 9000) << "no record, no limits";
  limiter.admit("ada")->count_prompt(60);
  now += std::chrono::seconds(20);
  limiter.admit("ada")->count_generated(50);
  now += std::chrono::seconds(10);
  try {
    limiter.admit("ada");
    ADD_FAILURE() << "110 tokens of 100";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 429);
    EXPECT_EQ(error.code, "rate_limit_exceeded");
    EXPECT_EQ(error.headers.at(0).name, "Retry-After");
    EXPECT_EQ(error.headers.at(0).value, "30");
  }
  now += std::chrono::seconds(30);
  EXPECT_NE(limiter.admit("ada"), nullptr);
  const auto usage = limiter.take_usage().at("ada");
  EXPECT_EQ(usage.requests, 3);
  EXPECT_EQ(usage.prompt_tokens, 60);
  EXPECT_EQ(usage.generated_tokens, 50);
  EXPECT_TRUE(limiter.take_usage().empty());
}

TEST(RateLimiter, ATicketHoldsItsPlaceUntilItGoes) {
  KeyStore store(":memory:");
  store.create("ada", {1, 0});
  RateLimiter limiter(&store);
  auto ticket = limiter.admit("ada");
  EXPECT_THROW(limiter.admit("ada"), ApiError);
  ticket.reset();
  EXPECT_NE(limiter.admit("ada"), nullptr);
}

// A prompt that does not fit was refused, and its tokens kept the key out for a minute.
TEST(Keys, ARefusedPromptUsesNoTokens) {
  KeyStore store(":memory:");
  const std::string ada = store.create("ada", {0, 1000});
  ApplicationOptions options;
  options.keys = &store;
  TestServer server(options);
  const std::string body =
      R"({"messages": [{"role": "user", "content": ")" + std::string(5000, 'x') + R"("}]})";
  const Answer refused = server.ask("POST", "/v1/chat/completions", body, bearer(ada));
  EXPECT_EQ(refused.json["error"]["code"], "context_length_exceeded") << refused.body;
  EXPECT_EQ(server.application->context().limiter.figures()["ada"].total.prompt_tokens, 0);
  EXPECT_EQ(server.application->context().limiter.figures()["ada"].running, 0);
}

TEST(Keys, LetInLimitAndCount) {
  KeyStore store(":memory:");
  const std::string ada = store.create("ada", {1, 0}), bob = store.create("bob", {0, 1});
  ApplicationOptions options;
  options.keys = &store;
  TestServer server(options);
  EXPECT_EQ(server.ask("GET", "/v1/models").status, 401);
  EXPECT_EQ(server.ask("GET", "/v1/models", "", bearer("sk-r1-no")).json["error"]["code"], "invalid_api_key");
  EXPECT_EQ(server.ask("GET", "/v1/models", "", bearer(ada)).status, 200);

  server.fake->babble();
  server.fake->before_pass = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  const std::string body =
      R"({"messages": [{"role": "user", "content": "hi"}], "stream": true, "max_tokens": 900})";
  const auto running = server.send("POST", "/v1/chat/completions", body, bearer(ada));
  running->wait_for_text("data: ");
  const Answer refused = server.ask("POST", "/v1/chat/completions", body, bearer(ada));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.json["error"]["type"], "rate_limit_error");
  EXPECT_EQ(refused.header("retry-after"), "1");
  running->hang_up();
  server.fake->before_pass = nullptr;
  server.fake->say("a</think>\n\nb");
  const std::string brief = R"({"messages": [{"role": "user", "content": "hi"}]})";
  int status = 429;
  for (int i = 0; i < 200 && status == 429; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = server.ask("POST", "/v1/chat/completions", brief, bearer(ada)).status;
  }
  EXPECT_EQ(status, 200) << "its place was given back";
  const Answer told = server.ask("POST", "/v1/chat/completions", brief, bearer(bob));
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(server.ask("POST", "/v1/chat/completions", brief, bearer(bob)).status, 429);
  const auto of_bob = [&](const std::string& name) {
    const std::string all = server.ask("GET", "/metrics", "", bearer(ada)).body;
    const size_t at = all.find("\nr1_key_" + name + "{key=\"bob\"} ");
    return at == std::string::npos ? -1 : std::stoi(all.substr(all.find("} ", at) + 2));
  };
  EXPECT_EQ(of_bob("requests_total"), 1);
  EXPECT_EQ(of_bob("refused_total"), 1);
  server.application->tidy();
  EXPECT_EQ(of_bob("prompt_tokens_total"), told.json["usage"]["prompt_tokens"]) << "taken to the store too";
  EXPECT_EQ(of_bob("generation_tokens_total"), told.json["usage"]["completion_tokens"]);
  EXPECT_THAT(server.ask("GET", "/metrics", "", bearer(ada)).body, Not(HasSubstr(bob.substr(6, 10))));
  const KeyRecord counted = *store.find_name("bob");
  EXPECT_EQ(counted.usage.requests, 1);
  EXPECT_EQ(counted.usage.generated_tokens, told.json["usage"]["completion_tokens"]);
  EXPECT_EQ(counted.usage.prompt_tokens, told.json["usage"]["prompt_tokens"]);
  EXPECT_TRUE(counted.last_used);
  store.revoke("bob");
  EXPECT_EQ(server.ask("GET", "/v1/models", "", bearer(bob)).status, 401) << "at once";
}

}  // namespace
}  // namespace r1::server
