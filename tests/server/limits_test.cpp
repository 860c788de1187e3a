// What one request, or one key, may take: each limit is seen to refuse, and what is just inside of it to be
// served.
#include "tests/server/site/site_fixture.h"
#include "tests/server/test_server.h"
#include "tests/server/tiny_model.h"
#include "tests/temporary_folder.h"

namespace r1::server {
namespace {

using test::Answer;
using test::Json;
using test::SiteServer;
using test::TestServer;
using ::testing::HasSubstr;

Json numbers(size_t count) {
  Json list = Json::array();
  for (size_t i = 0; i < count; ++i) list.push_back(i % 200);
  return list;
}

TEST(RequestLimits, ListsThatEachChoiceCopiesAreShort) {
  TestServer server;
  server.fake->say("hello");
  EXPECT_EQ(server.chat({{"stop_token_ids", numbers(1024)}, {"max_tokens", 1}}).status, 200);
  const Answer stops = server.chat({{"stop_token_ids", numbers(1025)}, {"n", 128}});
  EXPECT_EQ(stops.status, 400);
  EXPECT_EQ(stops.json["error"]["param"], "stop_token_ids");
  const Answer texts = server.chat({{"stop", {std::string(4000, 'a'), std::string(97, 'b')}}});
  EXPECT_EQ(texts.status, 400);
  EXPECT_EQ(texts.json["error"]["param"], "stop");
}

TEST(RequestLimits, AnswersTimesTokensTimesLogProbabilities) {
  TestServer server({}, 8192);
  server.fake->say("hello");
  const Json wanted = {{"n", 64}, {"logprobs", true}, {"top_logprobs", 20}};
  const Answer refused = server.chat(wanted);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json["error"]["param"], "top_logprobs");
  Json bounded = wanted;
  bounded["max_tokens"] = 4;
  EXPECT_EQ(server.chat(bounded).status, 200);
}

TEST(RequestLimits, BodiesOfVeryManyValues) {
  TestServer server;
  Json parts = Json::array();
  for (int i = 0; i < 200'000; ++i) parts.push_back({{"type", "text"}, {"text", "x"}});
  const Answer refused = server.chat({{"messages", {{{"role", "user"}, {"content", parts}}}}});
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json["error"]["code"], "too_many_values");
}

class KeyLimitsTest : public ::testing::Test {
 protected:
  KeyLimitsTest() {
    ApplicationOptions options;
    options.keys = &keys_;
    options.api_key = "the-operator";
    server_ = std::make_unique<TestServer>(options);
    server_->fake->say("hello");
  }
  Answer ask(const std::string& key, Json body) {
    body["messages"] = {{{"role", "user"}, {"content", "hi"}}};
    return server_->ask("POST", "/v1/chat/completions", body.dump(), {{"Authorization", "Bearer " + key}});
  }
  HttpAdmission admit(const std::string& key, const std::string& path) {
    HttpRequest head;
    head.method = "POST";
    head.path = path;
    head.headers = {{"Host", "localhost"}};
    if (!key.empty()) head.headers.push_back({"Authorization", "Bearer " + key});
    return server_->application->admit(head);
  }

  KeyStore keys_{":memory:"};
  std::unique_ptr<TestServer> server_;
};

TEST_F(KeyLimitsTest, PriorityIsTheOperatorsToGrant) {
  const std::string ordinary = keys_.create("ordinary", {}),
                    granted = keys_.create("granted", {.priority = 5});
  const Answer refused = ask(ordinary, {{"priority", 1}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.json["error"]["param"], "priority");
  EXPECT_EQ(ask(ordinary, {{"priority", -10}}).status, 200);
  EXPECT_EQ(ask(granted, {{"priority", 5}}).status, 200);
  EXPECT_EQ(ask(granted, {{"priority", 6}}).status, 403);
  EXPECT_EQ(ask("the-operator", {{"priority", 1'000'000}}).status, 200);
}

TEST_F(KeyLimitsTest, TheHeadDecidesBeforeTheBodyComes) {
  const std::string key = keys_.create("ada", {.concurrency = 1});
  const HttpAdmission let_in = admit(key, "/v1/chat/completions");
  EXPECT_FALSE(let_in.refusal.has_value());
  EXPECT_EQ(let_in.owner, "key:ada");
  for (const char* wrong : {"", "sk-r1-wrong"}) {
    const HttpAdmission refused = admit(wrong, "/v1/chat/completions");
    ASSERT_TRUE(refused.refusal.has_value()) << wrong;
    EXPECT_EQ(refused.refusal->status, 401);
  }
  EXPECT_EQ(admit("", "/v1/messages").refusal->status, 401);
  // Open paths take short bodies from strangers.
  EXPECT_FALSE(admit("", "/health").refusal.has_value());
  EXPECT_LE(admit("", "/health").body_bytes, size_t{16} << 10);
  EXPECT_LE(admit("", "/nowhere").body_bytes, size_t{16} << 10);
  // One that is at its limit is told so before it sends anything.
  const auto ticket = server_->application->context().limiter.admit("ada");
  EXPECT_EQ(admit(key, "/v1/chat/completions").refusal->status, 429);
  EXPECT_FALSE(admit(key, "/v1/models").refusal.has_value());
}

TEST_F(KeyLimitsTest, AnswersOfAKeyAtATime) {
  RateLimiter& limiter = server_->application->context().limiter;
  keys_.create("ada", {});
  const auto first = limiter.admit("ada");
  first->add_sequences(RateLimiter::kMaxSequences - 1);
  auto second = limiter.admit("ada");
  second->add_sequences(1);
  EXPECT_THROW(second->add_sequences(1), ApiError);
  second.reset();
  limiter.admit("ada")->add_sequences(1);
}

class TinyLimitsTest : public test::TinyModelTest {
 protected:
  TinyLimitsTest() : TinyModelTest("F32") {}
};

TEST_F(TinyLimitsTest, EmbeddingsStopWhenTheirClientLeaves) {
  ModelHost models({settings_});
  models.add("tiny", file_);
  Application application(models, {});
  Json texts = Json::array();
  for (int i = 0; i < 2048; ++i) texts.push_back(std::string(200, 'x'));
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/embeddings";
  request.headers = {{"Host", "localhost"}};
  request.body = Json{{"input", texts}}.dump();
  const auto shared = std::make_shared<const HttpRequest>(request);
  const auto sink = std::make_shared<test::RecordingSink>();
  std::thread handler([&] { application.handle(shared, sink); });
  while (!sink->is_watched()) std::this_thread::yield();
  sink->hang_up();
  handler.join();  // and not when 2,048 texts are done
  EXPECT_FALSE(sink->done());
}

/// A key's own conversations and files.
class SiteLimitsTest : public ::testing::Test, protected SiteServer {
 protected:
  SiteLimitsTest() { open({}); }
};

TEST_F(SiteLimitsTest, AFileIsInAQuestionOnce) {
  const Answer file = ask_with_query("POST", "/files", "name=a.txt", "some text");
  ASSERT_EQ(file.status, 201) << file.body;
  ask("PUT", "/conversations/conversation", {{"title", "A title"}, {"created", 1}});
  const auto put = [&](const Json& files) {
    return ask("PUT", "/conversations/conversation/nodes/question-1",
               {{"parent", nullptr}, {"created", 2}, {"content", "what?"}, {"files", files}});
  };
  const Json id = file.json["id"];
  EXPECT_EQ(put(Json::array({id, id})).status, 400);
  Json many = Json::array();
  for (int i = 0; i < 1000; ++i) many.push_back(id);
  EXPECT_EQ(put(many).status, 400);
  EXPECT_EQ(put(Json::array({id})).status, 201);
  EXPECT_EQ(ask("POST", "/context", {{"files", many}}).status, 400);
}

TEST_F(SiteLimitsTest, TextsBeyondAnyContextAreNotPutTogether) {
  // 4,096 tokens of at most 128 bytes: half a MiB.
  Json files = Json::array();
  for (const char letter : {'x', 'y', 'z'}) {
    const Answer file = ask_with_query("POST", "/files", "name=a.txt", std::string(200'000, letter));
    ASSERT_EQ(file.status, 201) << file.body;
    files.push_back(file.json["id"]);
  }
  question("question-1", "what?", nullptr, files);
  const Answer started = start("answer-001", "question-1");
  EXPECT_EQ(started.status, 400) << started.body;
  EXPECT_EQ(started.json["error"]["code"], "context_overflow");
  EXPECT_THAT(started.body, HasSubstr("more bytes than"));
}

TEST_F(SiteLimitsTest, ASearchHasFewWords) {
  std::string words;
  for (int i = 0; i < 20'000; ++i) words += "w" + std::to_string(i) + "+";
  EXPECT_EQ(ask_with_query("GET", "/conversations", "query=" + words).status, 400);
  EXPECT_EQ(ask_with_query("GET", "/conversations", "query=one+two+three").status, 200);
}

}  // namespace
}  // namespace r1::server
