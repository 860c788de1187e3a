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
