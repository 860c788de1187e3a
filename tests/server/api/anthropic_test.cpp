// /v1/messages and its tokens counted.
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::events;
using test::Json;
using test::TestServer;
using ::testing::HasSubstr;

const Json kQuestion = {
    {"model", "small"}, {"max_tokens", 60}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}};

TEST(Messages, AnswersInBlocks) {
  TestServer server;
  server.fake->say("hm\n</think>\n\nfour STOP five");
  Json body = kQuestion;
  body["stop_sequences"] = {"STOP"};
  const auto answer = server.post("/v1/messages", body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["type"], "message");
  EXPECT_EQ(answer.json["content"][0]["type"], "thinking");
  EXPECT_EQ(answer.json["content"][0]["thinking"], "hm");
  EXPECT_EQ(answer.json["content"][1]["text"], "four ");
  EXPECT_EQ(answer.json["stop_reason"], "stop_sequence");
  EXPECT_EQ(answer.json["stop_sequence"], "STOP");
  EXPECT_GT(answer.json["usage"]["input_tokens"], 0);
  const auto count = server.post("/v1/messages/count_tokens", {{"messages", kQuestion["messages"]}});
  EXPECT_EQ(count.json["input_tokens"], answer.json["usage"]["input_tokens"]);
}

TEST(Messages, StreamsBlocksOneAfterTheOther) {
  TestServer server;
  server.fake->say(
      "hm\n</"
      "think>\n\nSo:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
      "1}\n```"
      "<｜tool▁call▁end｜><｜tool▁calls▁end｜>");
  Json body = kQuestion;
  body["max_tokens"] = 200;
  body["stream"] = true;
  body["tools"] = {{{"name", "f"}, {"input_schema", {{"type", "object"}}}}};
  const auto answer = server.post("/v1/messages", body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  std::vector<std::string> types, kinds;
  std::string thinking, text, input;
  for (const Json& event : events(answer.body)) {
    types.push_back(event["type"]);
    if (event["type"] == "content_block_start") {
      EXPECT_EQ(event["index"], kinds.size());
      kinds.push_back(event["content_block"]["type"]);
    }
    if (event["type"] != "content_block_delta") continue;
    thinking += event["delta"].value("thinking", "");
    text += event["delta"].value("text", "");
    input += event["delta"].value("partial_json", "");
  }
  EXPECT_EQ(types.front(), "message_start");
  EXPECT_EQ(types.back(), "message_stop");
  EXPECT_EQ(kinds, (std::vector<std::string>{"thinking", "text", "tool_use"}));
  EXPECT_EQ(thinking, "hm");
  EXPECT_EQ(text, "So:");
  EXPECT_EQ(Json::parse(input)["a"], 1);
  EXPECT_THAT(answer.body, HasSubstr("event: message_delta\ndata: "));
  EXPECT_THAT(answer.body, HasSubstr("\"stop_reason\":\"tool_use\""));
}

TEST(Messages, TakesToolResultsAndForcesCalls) {
  TestServer server;
  Json body = kQuestion;
  body["system"] = {{{"type", "text"}, {"text", "Be brief."}}};
  body["messages"] = {
      {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "weather?"}}}}},
      {{"role", "assistant"},
       {"content",
        {{{"type", "thinking"}, {"thinking", "x"}, {"signature", ""}},
         {{"type", "tool_use"}, {"id", "toolu_1"}, {"name", "f"}, {"input", {{"a", 1}}}}}}},
      {{"role", "user"},
       {"content", {{{"type", "tool_result"}, {"tool_use_id", "toolu_1"}, {"content", "rain"}}}}}};
  body["tools"] = {
      {{"name", "f"},
       {"input_schema",
        {{"type", "object"}, {"properties", {{"a", {{"type", "integer"}}}}}, {"required", {"a"}}}}}};
  body["tool_choice"] = {{"type", "tool"}, {"name", "f"}};
  body["thinking"] = {{"type", "disabled"}};
  body["max_tokens"] = 300;
  const auto answer = server.post("/v1/messages", body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["stop_reason"], "tool_use");
  EXPECT_TRUE(answer.json["content"][0]["input"]["a"].is_number_integer()) << answer.body;
}

// The library's exception for a number where a text should be was answered 500.
TEST(Messages, ToolChoiceIsCheckedAlsoWithoutTools) {
  TestServer server;
  for (const Json& choice : {Json{{"type", 5}}, Json{{"type", "any"}}, Json{{"kind", "auto"}}}) {
    Json body = kQuestion;
    body["tool_choice"] = choice;
    EXPECT_EQ(server.post("/v1/messages", body).status, 400) << choice;
  }
  Json body = kQuestion;
  body["tool_choice"] = {{"type", "auto"}};
  EXPECT_EQ(server.post("/v1/messages", body).status, 200);
}

TEST(Messages, ErrorsHaveAnthropicsForm) {
  TestServer server;
  for (const Json& change :
       {Json{{"max_tokens", nullptr}}, Json{{"temperature", 9}}, Json{{"n", 2}}, Json{{"whatever", 1}},
        Json{{"messages", {{{"role", "user"}, {"content", {{{"type", "image"}}}}}}}}}) {
    Json body = kQuestion;
    body.update(change);
    const auto answer = server.post("/v1/messages", body);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.json["type"], "error");
    EXPECT_EQ(answer.json["error"]["type"], "invalid_request_error");
    EXPECT_EQ(answer.json["request_id"], "req_test");
  }
  Json body = kQuestion;
  body["model"] = "claude";
  EXPECT_EQ(server.post("/v1/messages", body).json["error"]["type"], "not_found_error");
}

}  // namespace
}  // namespace r1::server
