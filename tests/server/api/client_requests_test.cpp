// What clients, gateways and agents really send: each test is a request that was once refused, or answered wrongly,
// with others of its kind beside it.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "server/api/field_rules.h"
#include "server/api/response_items.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Answer;
using test::events;
using test::TestServer;
using ::testing::HasSubstr;
using ::testing::Not;

const Json kHi = {{{"role", "user"}, {"content", "hi"}}};
const Json kMessage = {{"max_tokens", 20}, {"messages", kHi}};
const Json kTool = {{"name", "add"},
                    {"description", "adds"},
                    {"input_schema", {{"type", "object"}, {"properties", {{"a", {{"type", "integer"}}}}}}}};

Json with(Json body, const Json& more) {
  body.update(more);
  return body;
}

std::string prompt(TestServer& server, const Json& messages, const Json& more = Json::object()) {
  const Answer answer = server.post("/apply-template", with({{"messages", messages}}, more));
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.json.value("prompt", "");
}

Json call(const char* id, const char* arguments) {
  return {{"id", id}, {"type", "function"}, {"function", {{"name", "add"}, {"arguments", arguments}}}};
}

Json calls(const Json& list) {
  return {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", list}};
}

Json result(const char* id, const char* text) {
  return {{"role", "tool"}, {"tool_call_id", id}, {"content", text}};
}

// --- Messages ---

TEST(ClientRequests, MessagesTakesTodaysHints) {
  TestServer server;
  for (const Json& more :
       {Json{{"thinking", {{"type", "adaptive"}}}},
        Json{{"thinking", {{"type", "adaptive"}, {"display", "summarized"}}}},
        Json{{"thinking", {{"type", "enabled"}, {"budget_tokens", 8}}}},
        Json{{"output_config", {{"effort", "max"}}}},
        Json{{"output_config", {{"effort", "low"}, {"task_budget", {{"total", 9}}}}}},
        Json{{"thinking", {{"type", "disabled"}}}, {"output_config", {{"effort", "high"}}}},
        Json{{"context_management", {{"edits", Json::array()}}}},
        Json{{"cache_control", {{"type", "ephemeral"}}}}, Json{{"inference_geo", "us"}},
        Json{{"speed", "fast"}}, Json{{"service_tier", "auto"}}, Json{{"betas", {"x"}}},
        Json{{"mcp_servers", Json::array()}}, Json{{"container", nullptr}}, Json{{"thread", false}},
        Json{{"thread", {{"type", "create"}}}}, Json{{"metadata", {{"user_id", "someone"}}}}, Json{{"n", 1}},
        Json{{"unheard_of", nullptr}}}) {
    const Answer answer = server.post("/v1/messages", with(kMessage, more));
    EXPECT_EQ(answer.status, 200) << more << answer.body;
  }
  const std::pair<Json, const char*> refused[] = {
      {{{"mcp_servers", {{{"name", "x"}}}}}, "mcp_servers"},
      {{{"container", "c1"}}, "container"},
      {{{"n", 2}}, "n"},
      {{{"stop", {"x"}}}, "stop"},
      {{{"stop_sequences", {""}}}, "stop_sequences"},
      {{{"thinking", {{"type", "sometimes"}}}}, "thinking.type"},
      {{{"output_config", {{"effort", "huge"}}}}, "output_config.effort"},
      {{{"output_config", {{"efort", "low"}}}}, "output_config.efort"},
      {{{"compaction", {{"type", "x"}}}}, "compaction"},
      {{{"unheard_of", 1}}, "unheard_of"}};
  for (const auto& [more, name] : refused) {
    const Answer answer = server.post("/v1/messages", with(kMessage, more));
    EXPECT_EQ(answer.status, 400) << more;
    EXPECT_THAT(answer.json["error"]["message"].get<std::string>(),
                ::testing::StartsWith(std::string(name) + ":"));
  }
}

// The SDK's tool runner sends the rest of a conversation alone; told that the thread is not there, it sends all.
TEST(ClientRequests, AThreadThatGoesOnIsNotFound) {
  TestServer server;
  const Answer answer = server.post(
      "/v1/messages", with(kMessage, {{"tool_choice", {{"type", "any"}}},  // the tools are the thread's
                                      {"thread", {{"type", "continue"}, {"previous_message_id", "msg_1"}}}}));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.json["error"]["details"]["error_code"], "thread_not_found") << answer.body;
}

TEST(ClientRequests, MessagesHoldsTheAnswerToAnOutputFormat) {
  TestServer server;
  const Json format = {{"type", "json_schema"}, {"schema", {{"enum", {"yes"}}}}};
  for (const Json& more : {Json{{"output_config", {{"format", format}}}}, Json{{"output_format", format}}}) {
    const Answer answer =
        server.post("/v1/messages", with(kMessage, with(more, {{"thinking", {{"type", "disabled"}}}})));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json["content"][0]["text"], "\"yes\"");
  }
  const Answer twice = server.post("/v1/messages", with(kMessage, {{"output_config", {{"format", format}}},
                                                                   {"tools", {kTool}},
                                                                   {"tool_choice", {{"type", "any"}}}}));
  EXPECT_EQ(twice.status, 400) << "a schema beside a required call";
}

TEST(ClientRequests, MessagesLeavesTheThinkingOutWhenAskedTo) {
  TestServer server;
  server.fake->say("hm</think>\n\nok");
  const Json body = with(kMessage, {{"thinking", {{"type", "adaptive"}, {"display", "omitted"}}}});
  const Answer answer = server.post("/v1/messages", body);
  ASSERT_EQ(answer.json["content"].size(), 1U) << answer.body;
  EXPECT_EQ(answer.json["content"][0]["text"], "ok");
  EXPECT_THAT(server.post("/v1/messages", with(body, {{"stream", true}})).body, Not(HasSubstr("hm")));
}

TEST(ClientRequests, MessagesTakesHintsOfToolsAndShowsTheModelNoneOfThem) {
  TestServer server;
  server.fake->say("ok");
  for (const Json& more : {Json{{"eager_input_streaming", true}}, Json{{"defer_loading", true}},
                           Json{{"input_examples", {{{"a", 12345}}}}}, Json{{"allowed_callers", {"direct"}}},
                           Json{{"cache_control", {{"type", "ephemeral"}}}}, Json{{"type", nullptr}},
                           Json{{"type", "custom"}}}) {
    for (const bool stream : {false, true}) {
      const Answer answer =
          server.post("/v1/messages", with(kMessage, {{"stream", stream}, {"tools", {with(kTool, more)}}}));
      EXPECT_EQ(answer.status, 200) << more << answer.body;
    }
    EXPECT_THAT(server.fake->last_sequence(), HasSubstr("\"adds\""));
    const std::string name = more.begin().key();
    EXPECT_THAT(server.fake->last_sequence(), Not(HasSubstr("\"" + name + "\": \"custom"))) << name;
    if (name == "type") continue;
    EXPECT_THAT(server.fake->last_sequence(), Not(HasSubstr(name)));
  }
  for (const Json& more : {Json{{"type", "bash_20250124"}}, Json{{"inputschema", 1}}})
    EXPECT_EQ(server.post("/v1/messages", with(kMessage, {{"tools", {with(kTool, more)}}})).status, 400)
        << more;
}

TEST(ClientRequests, ToolNamesMayHave128Characters) {
  TestServer server;
  const auto ask = [&](size_t length) {
    return server.post("/v1/messages",
                       with(kMessage, {{"tools", {with(kTool, {{"name", std::string(length, 'a')}})}}}));
  };
  EXPECT_EQ(ask(65).status, 200);
  EXPECT_EQ(ask(128).status, 200);
  const Answer refused = ask(129);
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("tools[0].name: expected 1 to 128"));
  const Answer chat =
      server.chat({{"tools", {{{"type", "function"}, {"function", {{"name", std::string(129, 'a')}}}}}}});
  EXPECT_EQ(chat.json["error"]["param"], "tools[0].function.name");
}

TEST(ClientRequests, MessagesTakesWhatHistoriesHold) {
  TestServer server;
  server.fake->say("ok");
  const Json messages = {
      {{"role", "system"}, {"content", {{{"type", "text"}, {"text", "Rule."}}}}},
      {{"role", "user"}, {"content", "q"}},
      {{"role", "assistant"},
       {"content",
        {{{"type", "thinking"}, {"thinking", "t"}, {"signature", "s"}},
         {{"type", "redacted_thinking"}, {"data", "x"}},
         {{"type", "text"}, {"text", "I add"}, {"citations", nullptr}},
         {{"type", "tool_use"},
          {"id", "c1"},
          {"name", "add"},
          {"input", Json::object()},
          {"caller", {{"type", "direct"}}}}}}},
      {{"role", "user"},
       {"content",
        {{{"type", "tool_result"}, {"tool_use_id", "c1"}, {"cache_control", {{"type", "ephemeral"}}}}}}},
      {{"role", "assistant"}, {"content", Json::array()}},
      {{"role", "user"}, {"content", "on"}}};
  const Answer answer = server.post("/v1/messages", {{"max_tokens", 5}, {"messages", messages}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("Rule."));
  const Answer counted =
      server.post("/v1/messages/count_tokens", {{"messages", messages}, {"speed", "fast"}});
  EXPECT_EQ(counted.status, 200) << counted.body;
}

// --- Histories of chats ---

TEST(ClientRequests, AnAssistantsTurnMayBeEmpty) {
  TestServer server;
  const std::string expected = prompt(server, {{{"role", "user"}, {"content", "a"}},
                                               {{"role", "assistant"}, {"content", ""}},
                                               {{"role", "user"}, {"content", "b"}}});
  for (const Json& turn : {Json{{"content", nullptr}}, Json::object(), Json{{"content", Json::array()}},
                           Json{{"content", nullptr}, {"tool_calls", Json::array()}},
                           Json{{"content", nullptr}, {"reasoning_content", "cut"}}}) {
    EXPECT_EQ(prompt(server, {{{"role", "user"}, {"content", "a"}},
                              with({{"role", "assistant"}}, turn),
                              {{"role", "user"}, {"content", "b"}}}),
              expected)
        << turn;
  }
  const Answer user = server.chat({{"messages", {{{"role", "user"}, {"content", nullptr}}}}});
  EXPECT_EQ(user.json["error"]["param"], "messages[0].content");
}

TEST(ClientRequests, NotesInTheHistoryAreIgnored) {
  TestServer server;
  const Json plain = {{{"role", "user"}, {"content", "a"}},
                      {{"role", "assistant"}, {"content", "7"}},
                      {{"role", "user"}, {"content", "ok"}}};
  for (const Json& note :
       {Json{{"provider_specific_fields", Json::object()}}, Json{{"thinking_blocks", Json::array()}},
        Json{{"reasoning_details", {{{"type", "reasoning.text"}, {"text", "t"}}}}},
        Json{{"reasoning", {{"text", "t"}}}}, Json{{"id", "m1"}, {"timestamp", 5}},
        Json{{"cache_control", {{"type", "ephemeral"}}}},
        Json{{"refusal", nullptr}, {"annotations", Json::array()}, {"audio", nullptr}},
        Json{{"function_call", nullptr}}, Json{{"a_gateway_of_tomorrow", {1, 2}}}}) {
    Json noted = plain;
    for (Json& message : noted) message.update(note);
    EXPECT_EQ(prompt(server, noted), prompt(server, plain)) << note;
  }
  // What carries content is no note.
  for (const char* content : {"images", "audio", "function_call", "attachments"}) {
    Json messages = plain;
    messages[1][content] = {{{"url", "x"}}};
    const Answer answer = server.chat({{"messages", messages}});
    EXPECT_EQ(answer.json["error"]["param"], std::string("messages[1].") + content) << answer.body;
  }
}

TEST(ClientRequests, PartsOfOtherApisAreRead) {
  TestServer server;
  const auto content = [&](const Json& parts) {
    return prompt(server, {{{"role", "user"}, {"content", "q"}},
                           {{"role", "assistant"}, {"content", parts}},
                           {{"role", "user"}, {"content", "ok"}}});
  };
  const std::string expected = content("seven");
  for (const Json& part :
       {Json{{"type", "text"}, {"text", "seven"}, {"cache_control", {{"type", "ephemeral"}}}},
        Json{{"type", "output_text"}, {"text", "seven"}, {"annotations", Json::array()}},
        Json{{"type", "input_text"}, {"text", "seven"}}, Json{{"type", "refusal"}, {"refusal", "seven"}},
        Json("seven")}) {
    EXPECT_EQ(content(Json::array({part})), expected) << part;
    EXPECT_EQ(content({{{"type", "thinking"}, {"thinking", "hm"}}, part}), expected);
    EXPECT_EQ(content({{{"type", "reasoning"}, {"text", "hm"}}, part}), expected);
    EXPECT_EQ(content({{{"type", "redacted_thinking"}, {"data", "x"}}, part}), expected);
  }
  const Answer image = server.chat(
      {{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", "x"}}}}}}}});
  EXPECT_EQ(image.json["error"]["param"], "messages[0].content[0]");
  EXPECT_EQ(image.json["error"]["code"], "unsupported_content");
}

TEST(ClientRequests, TextPartsAreLines) {
  TestServer server;
  server.fake->say("ok");
  const Json parts = {{{"type", "text"}, {"text", "First part."}},
                      {{"type", "text"}, {"text", "Second part."}}};
  EXPECT_THAT(prompt(server, {{{"role", "user"}, {"content", parts}}}),
              HasSubstr("First part.\nSecond part."));
  server.post("/v1/messages",
              {{"max_tokens", 3}, {"system", parts}, {"messages", {{{"role", "user"}, {"content", parts}}}}});
  EXPECT_THAT(server.fake->last_sequence(),
              HasSubstr("First part.\nSecond part.<｜User｜>First part.\nSecond part."));
  Json items = Json::array();
  for (const Json& part : parts) items.push_back({{"type", "input_text"}, {"text", part["text"]}});
  server.post("/v1/responses",
              {{"max_output_tokens", 3}, {"input", {{{"role", "user"}, {"content", items}}}}});
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("First part.\nSecond part."));
}

TEST(ClientRequests, AnAnswerMayQuoteTheEndOfThinking) {
  TestServer server;
  server.fake->say("ok");
  const auto after = [&](const std::string& text) {
    return prompt(server, {{{"role", "user"}, {"content", "q"}},
                           {{"role", "assistant"}, {"content", text}},
                           {{"role", "user"}, {"content", "ok"}}});
  };
  EXPECT_THAT(after("It ends </think> the thinking."),
              HasSubstr("<｜Assistant｜>It ends </think> the thinking.<"));
  EXPECT_THAT(after("<think>\nhm\n</think>\n\nIt is </think>."), HasSubstr("\n\nIt is </think>.<"));
  EXPECT_THAT(after("<think>\nhm\n</think>\n\nIt is </think>."), Not(HasSubstr("hm")));
  EXPECT_THAT(after(" <think>a</think>b"), HasSubstr("<｜Assistant｜>b<"));
  // With the template of tools, and on the other APIs.
  const Json history = {{{"role", "user"}, {"content", "q"}},
                        {{"role", "assistant"}, {"content", "a </think> b"}},
                        {{"role", "user"}, {"content", "ok"}}};
  const Json tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  EXPECT_THAT(prompt(server, history, {{"tools", tools}}), HasSubstr("a </think> b"));
  server.post("/v1/messages", {{"max_tokens", 3}, {"messages", history}});
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("a </think> b"));
  server.post("/v1/responses", {{"max_output_tokens", 3}, {"input", history}});
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("a </think> b"));
}

TEST(ClientRequests, SeveralSystemMessagesAreAllThere) {
  TestServer server;
  const std::string text = prompt(server, {{{"role", "system"}, {"content", "One."}},
                                           {{"role", "developer"}, {"content", "Two."}},
                                           {{"role", "user"}, {"content", "q"}},
                                           {{"role", "system"}, {"content", "Three."}}});
  EXPECT_THAT(text, HasSubstr("One.\n\nTwo.\n\nThree.<｜User｜>q"));
}

TEST(ClientRequests, ResultsOfToolsStandInTheOrderOfTheirCalls) {
  TestServer server;
  server.fake->say("ok");
  const Json question = {{"role", "user"}, {"content", "q"}};
  const Json both = calls({call("c1", "{\"a\":1}"), call("c2", "{\"a\":2}")});
  const std::string expected = prompt(server, {question, both, result("c1", "ONE"), result("c2", "TWO")});
  EXPECT_THAT(expected, HasSubstr("ONE"));
  EXPECT_EQ(prompt(server, {question, both, result("c2", "TWO"), result("c1", "ONE")}), expected);
  const Json blocks = {{"role", "user"},
                       {"content",
                        {{{"type", "tool_result"}, {"tool_use_id", "c2"}, {"content", "TWO"}},
                         {{"type", "tool_result"}, {"tool_use_id", "c1"}, {"content", "ONE"}}}}};
  const Json uses = {{"role", "assistant"},
                     {"content",
                      {{{"type", "tool_use"}, {"id", "c1"}, {"name", "add"}, {"input", {{"a", 1}}}},
                       {{"type", "tool_use"}, {"id", "c2"}, {"name", "add"}, {"input", {{"a", 2}}}}}}};
  server.post("/v1/messages", {{"max_tokens", 3}, {"messages", {question, uses, blocks}}});
  const std::string messages_prompt = server.fake->last_sequence();
  EXPECT_LT(messages_prompt.find("ONE"), messages_prompt.find("TWO"));

  // A later result before the earlier call has one, two for one call, and one for a call that is not there.
  for (const Json& results :
       {Json{result("c2", "TWO")}, Json{result("c1", "x"), result("c1", "y")}, Json{result("c3", "x")}}) {
    Json messages = {question, both};
    for (const Json& one : results) messages.push_back(one);
    const Answer answer = server.chat({{"messages", messages}});
    EXPECT_EQ(answer.status, 400) << results;
    EXPECT_EQ(answer.json["error"]["param"], "messages");
  }
  EXPECT_EQ(server.chat({{"messages", {question, result("c9", "x")}}}).status, 400);
  // One result of two, and results without ids, are taken as they are.
  EXPECT_EQ(server.chat({{"messages", {question, both, result("c1", "x")}}, {"max_tokens", 2}}).status, 200);
  const Json nameless = {{"role", "tool"}, {"content", "x"}};
  EXPECT_EQ(server.chat({{"messages", {question, both, nameless, nameless}}, {"max_tokens", 2}}).status, 200);
}

// --- Generating ---

TEST(ClientRequests, MaxTokensIsAnUpperBound) {
  TestServer server;
  server.fake->babble();
  const auto left = [&](const Json& usage, const char* in, const char* out) {
    return usage[in].get<int64_t>() + usage[out].get<int64_t>();
  };
  Answer answer = server.chat({{"max_tokens", 4096}, {"loop_detection", false}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(left(answer.json["usage"], "prompt_tokens", "completion_tokens"), 1024);
  answer = server.post("/v1/messages", with(kMessage, {{"max_tokens", 64000}, {"loop_detection", false}}));
  EXPECT_EQ(answer.json["stop_reason"], "max_tokens") << answer.body;
  answer =
      server.post("/v1/responses", {{"input", "hi"}, {"max_output_tokens", 8192}, {"loop_detection", false}});
  EXPECT_EQ(answer.json["status"], "incomplete") << answer.body;
  answer = server.post("/v1/completions", {{"prompt", {"hi", "you there"}}, {"max_tokens", 5000}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  answer = server.chat({{"max_tokens", -1}, {"loop_detection", false}});
  EXPECT_EQ(left(answer.json["usage"], "prompt_tokens", "completion_tokens"), 1024) << answer.body;

  const std::string text(3000, 'x');
  answer = server.post("/v1/completions", {{"prompt", text}});
  EXPECT_EQ(answer.json["error"]["param"], "prompt");
  answer = server.post("/v1/responses", {{"input", text}});
  EXPECT_EQ(answer.json["error"]["param"], "input");
  EXPECT_EQ(answer.json["error"]["n_ctx"], 1024);
}

TEST(ClientRequests, LogProbabilitiesJoinToTheText) {
  TestServer server;
  const auto joined = [](const Json& tokens) {
    std::string text, bytes;
    for (const Json& token : tokens) {
      text += token["token"].get<std::string>();
      for (const Json& byte : token["bytes"]) bytes += static_cast<char>(byte.get<int>());
    }
    EXPECT_EQ(text, bytes);
    return bytes;
  };
  const std::pair<const char*, Json> cases[] = {
      {"a\nb\n</think>\n\nThe answer\n\n", Json::object()},
      {"\n</think>\n\n\n\nx", Json::object()},
      {"</think>x", Json::object()},
      {"hm</think>\n\none two END three", {{"stop", "END"}}},
      {"hm</think>\n\none two END", {{"stop", "o END"}, {"include_stop_str_in_output", true}}},
      {"hm</think>\n\nabc", {{"stop", "bc"}}},  // a stop string that begins inside of a token
      {"hm</think>\n\nSo:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n```"
       "<｜tool▁call▁end｜><｜tool▁calls▁end｜>\n",
       {{"tools", {{{"type", "function"}, {"function", {{"name", "f"}}}}}}}},
      {"hm</think>\n\nSo:<｜tool▁calls▁begin｜> no call",
       {{"tools", {{{"type", "function"}, {"function", {{"name", "f"}}}}}}}}};
  for (const auto& [text, more] : cases) {
    server.fake->say(text);
    const Json body = with({{"logprobs", true}, {"top_logprobs", 1}, {"temperature", 0}}, more);
    const Answer answer = server.chat(body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json& choice = answer.json["choices"][0];
    const std::string content = choice["message"]["content"].is_null() ? "" : choice["message"]["content"];
    const std::string reasoning = choice["message"].value("reasoning_content", "");
    EXPECT_EQ(joined(choice["logprobs"]["content"]), content) << text;
    EXPECT_EQ(joined(choice["logprobs"].value("reasoning_content", Json::array())), reasoning) << text;
    std::string streamed, streamed_reasoning;
    for (const Json& event : events(server.chat(with(body, {{"stream", true}})).body)) {
      const Json& logprobs = event["choices"][0]["logprobs"];
      if (logprobs.is_null()) continue;
      streamed += joined(logprobs["content"]);
      streamed_reasoning += joined(logprobs.value("reasoning_content", Json::array()));
    }
    EXPECT_EQ(streamed, content) << text;
    EXPECT_EQ(streamed_reasoning, reasoning) << text;
  }
}

TEST(ClientRequests, LogProbabilitiesOfCompletionsJoinToTheText) {
  TestServer server;
  server.fake->say("\n\nabc END");
  const Answer answer = server.post("/v1/completions", {{"prompt", "x<｜Assistant｜>"},
                                                        {"logprobs", 1},
                                                        {"max_tokens", 50},
                                                        {"stop", "c E"},
                                                        {"temperature", 0}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json& choice = answer.json["choices"][0];
  std::string text;
  for (size_t i = 0; i < choice["logprobs"]["tokens"].size(); ++i) {
    EXPECT_EQ(choice["logprobs"]["text_offset"][i], text.size());
    text += choice["logprobs"]["tokens"][i].get<std::string>();
  }
  EXPECT_EQ(text, choice["text"].get<std::string>());
  EXPECT_EQ(text, "\n\nab");
}

TEST(ClientRequests, ALoopInsideOfAFormIsALength) {
  TestServer server;
  server.fake->say("\"" + std::string(900, 'a'));
  const Json schema = {{"type", "json_schema"}, {"json_schema", {{"schema", {{"type", "string"}}}}}};
  Answer answer =
      server.chat({{"response_format", schema}, {"reasoning_effort", "none"}, {"temperature", 0}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["choices"][0]["finish_reason"], "length");
  EXPECT_LT(answer.json["usage"]["completion_tokens"], 900) << "the loop rule ended it";
  server.fake->say(std::string(900, 'a'));
  answer = server.chat({{"reasoning_effort", "none"}, {"temperature", 0}});
  EXPECT_EQ(answer.json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer.json["choices"][0]["stop_reason"], "loop");
  answer = server.post(
      "/v1/completions",
      {{"prompt", "x<｜Assistant｜>"}, {"max_tokens", 900}, {"loop_detection", true}, {"temperature", 0}});
  EXPECT_EQ(answer.json["choices"][0]["stop_reason"], "loop") << answer.body;
}

// The form needs a quote, and every token that begins with one is forbidden.
TEST(ClientRequests, ARequestThatContradictsItselfIsNotTheServersFault) {
  TestServer server;
  Json bias = Json::object();
  for (int32_t token = 0; token < server.tokenizer->size(); ++token) {
    if (server.tokenizer->token_bytes(token).starts_with('"')) bias[std::to_string(token)] = -100;
  }
  const Json schema = {{"type", "json_schema"}, {"json_schema", {{"schema", {{"enum", {"yes"}}}}}}};
  const Json body = {{"response_format", schema}, {"reasoning_effort", "none"}, {"logit_bias", bias}};
  const Answer answer = server.chat(body);
  EXPECT_EQ(answer.status, 400) << answer.body;
  EXPECT_EQ(answer.json["error"]["type"], "invalid_request_error");
  EXPECT_EQ(answer.json["error"]["code"], "contradictory_request");
  const std::vector<Json> streamed = events(server.chat(with(body, {{"stream", true}})).body);
  EXPECT_EQ(streamed.back()["error"]["type"], "invalid_request_error");
  const Answer response = server.post(
      "/v1/responses", {{"input", "x"},
                        {"reasoning", {{"effort", "none"}}},
                        {"logit_bias", bias},
                        {"text", {{"format", {{"type", "json_schema"}, {"schema", {{"enum", {"yes"}}}}}}}}});
  EXPECT_EQ(response.status, 400) << response.body;
}

TEST(ClientRequests, ValuesThatAskForNothingAreTaken) {
  TestServer server;
  for (const Json& more : {Json{{"functions", Json::array()}},
                           Json{{"function_call", "none"}},
                           Json{{"min_tokens", 0}},
                           Json{{"top_logprobs", 0}},
                           Json{{"length_penalty", 1}},
                           Json{{"length_penalty", 1.0}},
                           Json{{"best_of", 1}},
                           Json{{"mirostat", 0}},
                           Json{{"repeat_penalty", 1}},
                           Json{{"store", false}},
                           Json{{"store", true}},
                           Json{{"audio", nullptr}},
                           Json{{"modalities", {"text"}}},
                           Json{{"verbosity", "low"}},
                           Json{{"service_tier", "flex"}},
                           Json{{"prompt_cache_options", {{"mode", "x"}}}},
                           Json{{"tool_choice", "none"}},
                           Json{{"tools", Json::array()}},
                           Json{{"parallel_tool_calls", true}},
                           Json{{"grammar", ""}},
                           Json{{"use_beam_search", false}}}) {
    const Answer answer = server.chat(with({{"max_tokens", 2}}, more));
    EXPECT_EQ(answer.status, 200) << more << answer.body;
  }
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", "x"}, {"max_tokens", 2}, {"suffix", ""}}).status, 200);
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", "x"}, {"suffix", "y"}}).json["error"]["param"],
            "suffix");
  const std::pair<Json, const char*> refused[] = {
      {{{"min_tokens", 5}}, "min_tokens"},
      {{{"functions", {{{"name", "f"}}}}}, "functions"},
      {{{"length_penalty", 2}}, "length_penalty"},
      {{{"web_search_options", Json::object()}}, "web_search_options"},
      {{{"repeat_penalty", 1.1}}, "repeat_penalty"},
      {{{"dry_allowed_length", 0}}, "dry_allowed_length"},
      {{{"chat_template_kwargs", {{"thinking", "off"}}}}, "chat_template_kwargs.thinking"}};
  for (const auto& [more, param] : refused) {
    const Answer answer = server.chat(more);
    EXPECT_EQ(answer.status, 400) << more;
    EXPECT_EQ(answer.json["error"]["param"], param) << answer.body;
  }
}

// --- Responses ---

TEST(ClientRequests, ResponsesLeavesOutToolsItCannotRun) {
  TestServer server;
  server.fake->say("ok");
  const Json function = {{"type", "function"}, {"name", "add"}, {"parameters", {{"type", "object"}}}};
  for (const char* type :
       {"web_search", "web_search_preview_2025_03_11", "custom", "namespace", "local_shell", "apply_patch",
        "mcp", "code_interpreter", "image_generation", "tool_search"}) {
    const Answer answer =
        server.post("/v1/responses", {{"input", "x"},
                                      {"max_output_tokens", 5},
                                      {"tools", {function, {{"type", type}, {"name", "other"}}}}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json["tools"], Json::array({function})) << "the response says what was taken";
    EXPECT_THAT(server.fake->last_sequence(), Not(HasSubstr("other")));
  }
  EXPECT_EQ(server.post("/v1/responses", {{"input", "x"}, {"tools", {{{"type", "fuction"}}}}}).status, 400);
  const Answer required = server.post(
      "/v1/responses", {{"input", "x"}, {"tools", {{{"type", "web_search"}}}}, {"tool_choice", "required"}});
  EXPECT_EQ(required.json["error"]["param"], "tool_choice") << required.body;
}

TEST(ClientRequests, ResponsesLooksAtToolChoiceAlsoWithoutTools) {
  TestServer server;
  for (const Json& more : {Json{{"tool_choice", "required"}}, Json{{"tool_choice", 7}},
                           Json{{"tool_choice", {{"type", "function"}, {"name", "f"}}}}}) {
    const Answer answer = server.post("/v1/responses", with({{"input", "x"}}, more));
    EXPECT_EQ(answer.json["error"]["param"], "tool_choice") << answer.body;
  }
  const Answer parallel = server.post("/v1/responses", {{"input", "x"}, {"parallel_tool_calls", "no"}});
  EXPECT_EQ(parallel.json["error"]["param"], "parallel_tool_calls");
  const Answer taken = server.post(
      "/v1/responses",
      {{"input", "x"}, {"max_output_tokens", 3}, {"tool_choice", "auto"}, {"parallel_tool_calls", false}});
  EXPECT_EQ(taken.json["parallel_tool_calls"], false) << taken.body;
}

TEST(ClientRequests, ResponsesTakesWhatAgentsSend) {
  TestServer server;
  server.fake->say("ok");
  const Json input = {
      {{"type", "message"},
       {"role", "developer"},
       {"content", {{{"type", "input_text"}, {"text", "Rule."}}}}},
      {{"role", "user"}, {"content", {{{"type", "input_text"}, {"text", "q"}}}}},
      {{"type", "reasoning"}, {"summary", Json::array()}, {"encrypted_content", "x"}},
      {{"type", "message"},
       {"id", "msg_1"},
       {"role", "assistant"},
       {"phase", "commentary"},
       {"status", "completed"},
       {"content", {{{"type", "output_text"}, {"text", "I add"}, {"annotations", Json::array()}}}}},
      {{"type", "function_call"}, {"call_id", "c1"}, {"name", "add"}, {"arguments", "{}"}, {"id", "fc_1"}},
      {{"type", "function_call"}, {"call_id", "c2"}, {"name", "add"}, {"arguments", "{\"a\":2}"}},
      {{"type", "function_call_output"}, {"call_id", "c2"}, {"output", "TWO"}},
      {{"type", "function_call_output"},
       {"call_id", "c1"},
       {"output", {{{"type", "input_text"}, {"text", "ONE"}}}}}};
  const Answer answer =
      server.post("/v1/responses", {{"input", input},
                                    {"max_output_tokens", 5},
                                    {"store", false},
                                    {"include", {"reasoning.encrypted_content"}},
                                    {"text", {{"verbosity", "medium"}}},
                                    {"reasoning", {{"effort", "high"}, {"summary", "auto"}}},
                                    {"prompt_cache_key", "k"},
                                    {"client_metadata", {{"a", "b"}}},
                                    {"service_tier", "priority"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  // One turn: the text, then its calls; the results in the order of the calls.
  const Json chat = {{{"role", "system"}, {"content", "Rule."}},
                     {{"role", "user"}, {"content", "q"}},
                     {{"role", "assistant"},
                      {"content", "I add"},
                      {"tool_calls", {call("c1", "{}"), call("c2", "{\"a\":2}")}}},
                     result("c1", "ONE"),
                     result("c2", "TWO")};
  const std::string expected = prompt(server, chat);
  EXPECT_EQ(server.fake->last_sequence().substr(0, expected.size()), expected);
}

TEST(ClientRequests, ResponsesFindsTheItemsOfALateResponse) {
  TestServer server;
  server.fake->say("hm</think>\n\nThe answer is seven.");
  const Answer first = server.post("/v1/responses", {{"input", "3 + 4?"}});
  ASSERT_EQ(first.json["output"].size(), 2U) << first.body;
  Json input = {{{"role", "user"}, {"content", "3 + 4?"}}};
  for (const Json& item : first.json["output"])
    input.push_back({{"type", "item_reference"}, {"id", item["id"]}});
  input.push_back({{"role", "user"}, {"content", "Sure?"}});
  const Answer second = server.post("/v1/responses", {{"input", input}, {"max_output_tokens", 5}});
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("<｜Assistant｜>The answer is seven."));
  const Answer stored = server.post("/v1/responses", {{"input", "3 + 4?"}, {"store", true}});
  EXPECT_EQ(stored.json["store"], false) << "it is not kept, and the response says so: " << stored.body;
  // Not those that were not to be stored, nor unknown ones.
  const Answer unstored = server.post("/v1/responses", {{"input", "3 + 4?"}, {"store", false}});
  for (const Json& id : {unstored.json["output"][1]["id"], Json("msg_unknown")}) {
    const Answer answer =
        server.post("/v1/responses", {{"input", {{{"type", "item_reference"}, {"id", id}}}}});
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.json["error"]["code"], "item_not_found") << answer.body;
  }
}

TEST(ResponseItems, HaveALimitForEachKeyAndForAll) {
  ResponseItems items({std::chrono::hours(1), 1000, 1800});
  const auto item = [](const std::string& id) {
    return Json::array({{{"type", "message"}, {"id", id}, {"content", std::string(500, 'x')}}});
  };
  items.add("a", item("1"));
  EXPECT_EQ(items.find("a", "1")["id"], "1");
  EXPECT_TRUE(items.find("b", "1").is_null()) << "another key's";
  items.add("a", item("2"));
  EXPECT_TRUE(items.find("a", "1").is_null()) << "made room";
  items.add("b", item("3"));
  items.add("c", item("4"));
  EXPECT_TRUE(items.find("c", "4").is_null()) << "no room, and other keys' items stay";
  EXPECT_FALSE(items.find("a", "2").is_null());
  EXPECT_FALSE(items.find("b", "3").is_null());
  ResponseItems brief({std::chrono::seconds(0), 1000, 1800});
  brief.add("a", item("1"));
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(brief.find("a", "1").is_null());
}

// --- Paths, headers, tokens ---

TEST(ClientRequests, PathsWorkWithoutTheirPrefix) {
  TestServer server;
  EXPECT_EQ(server.ask("GET", "/models").json["data"][0]["id"], "small");
  EXPECT_EQ(server.ask("GET", "/models/small").json["id"], "small");
  EXPECT_EQ(server.ask("GET", "/v1/models/").json["data"].size(), 1U);
  EXPECT_EQ(server.post("/responses", {{"input", "x"}, {"max_output_tokens", 2}}).status, 200);
  EXPECT_EQ(server.post("/messages", kMessage).json["type"], "message");
  EXPECT_EQ(server.post("/messages/count_tokens", {{"messages", kHi}}).status, 200);
  EXPECT_EQ(server.post("/messages", {{"max_tokens", 1}}).json["type"], "error") << "in Anthropic's form";
  EXPECT_EQ(server.post("/chat/completions", {{"messages", kHi}, {"max_tokens", 2}}).status, 200);
}

TEST(ClientRequests, BothApisFindTheRequestsId) {
  TestServer server;
  const Answer answer = server.post("/v1/messages", kMessage);
  EXPECT_EQ(answer.header("request-id"), "req_test");
  EXPECT_EQ(answer.header("x-request-id"), "req_test");
  EXPECT_EQ(server.post("/v1/messages", Json::object()).header("request-id"), "req_test");
}

TEST(ClientRequests, TokenizeTakesTheFieldsOfVllmAndLlamaCpp) {
  TestServer server;
  for (const Json& body :
       {Json{{"content", "ab"}, {"add_special", false}, {"parse_special", true}, {"with_pieces", true}},
        Json{
            {"prompt", "ab"}, {"add_special_tokens", false}, {"return_token_strs", true}, {"model", "small"}},
        Json{{"messages", kHi},
             {"add_generation_prompt", false},
             {"add_special_tokens", false},
             {"continue_final_message", false},
             {"chat_template_kwargs", {{"thinking", true}}},
             {"return_token_strs", true},
             {"tools", Json::array()}}}) {
    const Answer answer = server.post("/tokenize", body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json["tokens"].size(), answer.json["token_strs"].size());
  }
  const auto count = [&](const Json& body) {
    return server.post("/tokenize", body).json["count"].get<int>();
  };
  EXPECT_EQ(count({{"content", "ab"}, {"add_special", true}}), count({{"content", "ab"}}) + 1);
  EXPECT_LT(count({{"messages", kHi}, {"add_generation_prompt", false}}), count({{"messages", kHi}}));
  EXPECT_EQ(prompt(server, kHi, {{"add_generation_prompt", false}}), "<｜begin▁of▁sentence｜><｜User｜>hi");
  EXPECT_EQ(server.post("/tokenize", {{"content", "ab"}, {"contnt", 1}}).json["error"]["param"], "contnt");
}

// --- The rule itself ---

// docs/api.md lists every hint and every field that is refused with a reason.
TEST(FieldRules, AreListedInTheDocumentation) {
  std::ifstream file(std::string(R1_TEST_FIXTURES) + "/../../docs/api.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const FieldRule& rule : field_rules())
    EXPECT_THAT(text.str(), HasSubstr(std::string(rule.name) + "`")) << rule.name;
}

TEST(FieldRules, AreOneForAFieldOfAnObject) {
  for (const FieldRule& rule : field_rules()) {
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
      if ((rule.objects & bit) == 0) continue;
      EXPECT_EQ(find_rule(static_cast<RequestObject>(bit), rule.name), &rule) << rule.name;
    }
  }
}

}  // namespace
}  // namespace r1::server
