// The server with a model whose answers have a meaning: the one that ships.
#include "kernels/kernels.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Json;
using ::testing::HasSubstr;

/// A TestServer whose models are on the file's side: "small" stays the default, "shipped" is a real one.
struct RealServer : test::TestServer {
  RealServer() {
    ModelHost::Options options;
    options.settings.kernels = &kernels::select_kernels();
    options.settings.threads = 1;
    options.settings.engine.sequences = 32;
    options.settings.engine.kv_bytes = 64 << 20;
    real = std::make_unique<ModelHost>(options);
    real->add("shipped", std::filesystem::path(R1_TEST_FIXTURES) / "../../models/r1-first-5m-Q8_0.gguf");
    application = std::make_unique<Application>(*real, ApplicationOptions{});
  }
  ~RealServer() {
    application->cancel_all();
    application.reset();
    real.reset();
    application = std::make_unique<Application>(*models, ApplicationOptions{});  // for ~TestServer
  }
  std::unique_ptr<ModelHost> real;
};

Json question(const std::string& text) {
  return {{"messages", {{{"role", "user"}, {"content", text}}}}, {"temperature", 0}};
}

TEST(ShippedModel, ThinksApartFromItsAnswer) {
  RealServer server;
  const auto answer = server.chat(question("What is 17+25?"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json& choice = answer.json["choices"][0];
  EXPECT_EQ(choice["message"]["reasoning_content"], "17+25=[7+5=12 1+2+1=4]=42");
  EXPECT_THAT(choice["message"]["content"].get<std::string>(), HasSubstr("\\boxed{42}"));
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(answer.json["model"], "shipped");
}

TEST(ShippedModel, AnswersManyAtOnceAsItAnswersEachAlone) {
  RealServer server;
  std::vector<std::shared_ptr<test::RecordingSink>> sinks;
  for (int i = 0; i < 24; ++i) {
    const Json body = question("What is " + std::to_string(31 + i) + "+" + std::to_string(58 - i) + "?");
    sinks.push_back(server.send("POST", "/v1/chat/completions", body.dump()));
  }
  int right = 0;
  for (int i = 0; i < 24; ++i) {
    const Json together = Json::parse(sinks[i]->wait().body);
    const std::string content = together["choices"][0]["message"]["content"];
    right += content.find("\\boxed{89}") != std::string::npos ? 1 : 0;
    if (i % 6 == 0) {
      const auto alone =
          server.chat(question("What is " + std::to_string(31 + i) + "+" + std::to_string(58 - i) + "?"));
      EXPECT_EQ(alone.json["choices"][0]["message"], together["choices"][0]["message"]);
    }
  }
  EXPECT_GE(right, 20);
}

/// How many tokens two prompts begin with in common.
int64_t common_tokens(const Json& a, const Json& b) {
  size_t count = 0;
  while (count < std::min(a.size(), b.size()) && a[count] == b[count]) ++count;
  return static_cast<int64_t>(count);
}

// The template leaves the thinking of earlier turns out. Keys and values of an answer were computed behind
// its thinking, so the answer itself is read again, once; whatever was in a prompt before never is.
TEST(ShippedModel, AChatOfFiveTurnsReadsNothingOfAnEarlierPromptAgain) {
  RealServer server;
  Json messages = Json::array(), earlier;
  for (int turn = 0; turn < 5; ++turn) {
    messages.push_back({{"role", "user"}, {"content", "What is " + std::to_string(17 + turn) + "+25?"}});
    const Json prompt = server.post("/tokenize", {{"messages", messages}}).json["tokens"];
    const auto answer = server.chat({{"messages", messages}, {"temperature", 0}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json& usage = answer.json["usage"];
    ASSERT_EQ(usage["prompt_tokens"], prompt.size());
    EXPECT_GT(usage["completion_tokens_details"]["reasoning_tokens"], 0);
    const int64_t cached = usage["prompt_tokens_details"]["cached_tokens"];
    EXPECT_EQ(cached, turn == 0 ? 0 : common_tokens(prompt, earlier)) << "turn " << turn + 1;
    if (turn > 0) {
      // What is new: the answer, the question, and markers around them.
      const auto tokens_of = [&](const std::string& text) -> int64_t {
        return server.post("/tokenize", {{"content", text}}).json["count"];
      };
      const int64_t fresh = static_cast<int64_t>(prompt.size()) - cached;
      EXPECT_LE(fresh, tokens_of(messages[messages.size() - 2]["content"]) +
                           tokens_of(messages[messages.size() - 1]["content"]) + 6);
    }
    earlier = prompt;
    messages.push_back({{"role", "assistant"}, {"content", answer.json["choices"][0]["message"]["content"]}});
  }
}

// Texts that are continued as they are have nothing taken out of them: only what was added is read.
TEST(ShippedModel, ATextThatGrowsIsReadOnce) {
  RealServer server;
  const auto count = [&](const std::string& part) -> int64_t {
    return server.post("/tokenize", {{"content", part}}).json["count"];
  };
  std::string text = "What is 17+25?";
  const std::string added = "\nWhat is 3+4?";
  for (int turn = 0; turn < 5; ++turn) {
    const auto answer =
        server.post("/v1/completions", {{"prompt", text}, {"max_tokens", 20}, {"temperature", 0}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json& usage = answer.json["usage"];
    const int64_t fresh = usage["prompt_tokens"].get<int64_t>() -
                          usage["prompt_tokens_details"]["cached_tokens"].get<int64_t>();
    // Two more: the last token of an answer was never read, and the parts may be cut otherwise where they
    // meet.
    if (turn > 0) {
      EXPECT_LE(fresh, count(added) + 2) << "turn " << turn + 1;
    }
    text += answer.json["choices"][0]["text"].get<std::string>() + added;
  }
}

TEST(ShippedModel, CarriesOnAnAnswerFromWithinItsThinking) {
  RealServer server;
  Json body = question("What is 17+25?");
  body["messages"].push_back(
      {{"role", "assistant"}, {"reasoning_content", "17+25=[7+5=12"}, {"prefix", true}});
  const auto answer = server.chat(body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.json["choices"][0]["message"]["reasoning_content"].get<std::string>(),
              HasSubstr("1+2+1=4]=42"));
}

}  // namespace
}  // namespace r1::server
