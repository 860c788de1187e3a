// /v1/chat/completions and its neighbours, asked without sockets: a scripted model says what each case needs.
#include <set>

#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::events;
using test::Json;
using test::TestServer;
using ::testing::HasSubstr;

TEST(Chat, SplitsReasoningFromContentAndCountsBoth) {
  TestServer server;
  server.fake->say("I think.\n</think>\n\nIt is 4.");
  const auto answer = server.chat({{"model", "small"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json& message = answer.json["choices"][0]["message"];
  EXPECT_EQ(message["role"], "assistant");
  EXPECT_EQ(message["content"], "It is 4.");
  EXPECT_EQ(message["reasoning_content"], "I think.");
  EXPECT_EQ(message["reasoning"], "I think.");
  EXPECT_EQ(answer.json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer.json["object"], "chat.completion");
  const Json& usage = answer.json["usage"];
  EXPECT_EQ(usage["total_tokens"], usage["prompt_tokens"].get<int>() + usage["completion_tokens"].get<int>());
  EXPECT_EQ(usage["completion_tokens_details"]["reasoning_tokens"], 10) << "8 letters, newline, </think>";
  EXPECT_EQ(answer.header("x-request-id"), "req_test");
  // The same prompt again is found in the cache.
  const auto again = server.chat({});
  EXPECT_GT(again.json["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
  EXPECT_EQ(again.json["usage"]["prompt_cache_hit_tokens"],
            again.json["usage"]["prompt_tokens_details"]["cached_tokens"]);
}

TEST(Chat, StreamsTheSameInPieces) {
  TestServer server;
  server.fake->say("Hm, 你好.\n</think>\n\nAnswer 👍");
  const auto answer = server.chat({{"stream", true}, {"stream_options", {{"include_usage", true}}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.header("content-type"), HasSubstr("text/event-stream"));
  bool done = false;
  const auto all = events(answer.body, &done);
  EXPECT_TRUE(done);
  std::string reasoning, content;
  for (const Json& event : all) {
    EXPECT_EQ(event["object"], "chat.completion.chunk");
    EXPECT_EQ(event["id"], all[0]["id"]);
    if (event["choices"].empty()) continue;
    const Json& delta = event["choices"][0]["delta"];
    reasoning += delta.value("reasoning_content", "");
    content += delta.value("content", "");
    EXPECT_TRUE(event["usage"].is_null());
  }
  EXPECT_EQ(all[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(reasoning, "Hm, 你好.");
  EXPECT_EQ(content, "Answer 👍");
  EXPECT_EQ(all[all.size() - 2]["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(all.back()["choices"].empty());
  EXPECT_GT(all.back()["usage"]["completion_tokens"], 0);
}

TEST(Chat, ThinkingCanBeSwitchedOffAndBounded) {
  TestServer server;
  const auto prompt_of = [&](Json body) {
    body["messages"] = {{{"role", "user"}, {"content", "hi"}}};
    const auto answer = server.post("/apply-template", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json.value("prompt", "");
  };
  EXPECT_THAT(prompt_of({}), ::testing::EndsWith("<｜Assistant｜><think>\n"));
  for (const Json& off :
       {Json{{"thinking", {{"type", "disabled"}}}}, Json{{"enable_thinking", false}},
        Json{{"reasoning_effort", "none"}}, Json{{"chat_template_kwargs", {{"thinking", false}}}}}) {
    EXPECT_THAT(prompt_of(off), ::testing::EndsWith("<think>\n\n</think>\n\n")) << off;
  }
  server.fake->say("no end of thinking, which goes on and on and on and on");
  const auto bounded = server.chat({{"thinking_budget", 10}, {"max_tokens", 40}, {"answer_reserve", 0}});
  ASSERT_EQ(bounded.status, 200) << bounded.body;
  EXPECT_EQ(bounded.json["choices"][0]["message"]["reasoning_content"], "no end of ");
  // Part of max_tokens is kept for the answer.
  server.fake->say(std::string(200, 'x'));
  const auto reserved = server.chat({{"max_tokens", 80}});
  EXPECT_NE(reserved.json["choices"][0]["message"]["content"], "");
  const auto both = server.chat({{"enable_thinking", true}, {"reasoning_effort", "none"}});
  EXPECT_EQ(both.status, 400);
}

TEST(Chat, StopStringsEndTheAnswerButNotTheThinking) {
  TestServer server;
  server.fake->say("END of\n</think>\n\none two END three");
  const auto answer = server.chat({{"stop", {"END", "never"}}, {"logprobs", true}});
  const Json& choice = answer.json["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "one two ");
  EXPECT_EQ(choice["message"]["reasoning_content"], "END of");
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["stop_reason"], "END");
  std::string text;
  for (const Json& token : choice["logprobs"]["content"]) text += token["token"].get<std::string>();
  EXPECT_EQ(text, "one two ") << "tokens of markup and of the stop string are not reported";
  EXPECT_EQ(server.chat({{"stop", "END"}, {"include_stop_str_in_output", true}})
                .json["choices"][0]["message"]["content"],
            "one two END");
}

TEST(Chat, SeveralChoicesDrawEachForThemselvesAndAreRepeatable) {
  TestServer server;
  const Json body = {{"n", 3}, {"seed", 7}, {"max_tokens", 12}, {"temperature", 1.5}, {"top_p", 1}};
  const auto first = server.chat(body), second = server.chat(body);
  ASSERT_EQ(first.json["choices"].size(), 3) << first.body;
  std::set<std::string> texts;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.json["choices"][i]["message"], second.json["choices"][i]["message"]);
    EXPECT_EQ(first.json["choices"][i]["index"], i);
    texts.insert(first.json["choices"][i]["message"].dump());
  }
  EXPECT_EQ(texts.size(), 3);
  EXPECT_EQ(first.json["usage"]["completion_tokens"], 36);
}

TEST(Chat, LogProbabilitiesComeWithTheirTokens) {
  TestServer server;
  server.fake->say("a\n</think>\n\nbc");
  const auto answer = server.chat({{"logprobs", true}, {"top_logprobs", 2}});
  const Json& content = answer.json["choices"][0]["logprobs"]["content"];
  ASSERT_GE(content.size(), 2) << answer.body;
  const Json& last = content.back();
  EXPECT_EQ(last["token"], "c");
  EXPECT_EQ(last["bytes"], Json::array({99}));
  EXPECT_EQ(last["top_logprobs"].size(), 2);
  EXPECT_NEAR(last["logprob"].get<double>(), 0, 1e-3);
  EXPECT_FALSE(answer.json["choices"][0]["logprobs"]["reasoning_content"].empty());
}

TEST(Chat, LogitBiasForbidsAndForces) {
  TestServer server;
  server.fake->say("aaaa");
  const int32_t letter = server.tokenizer->encode("a", false).front();
  const auto answer = server.chat({{"logit_bias", {{std::to_string(letter), -100}}},
                                   {"enable_thinking", false},
                                   {"max_tokens", 3},
                                   {"temperature", 0}});
  EXPECT_THAT(answer.json["choices"][0]["message"]["content"].get<std::string>(),
              ::testing::Not(HasSubstr("a")));
}

TEST(Chat, ReadsToolCalls) {
  TestServer server;
  const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters":
      {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])");
  server.fake->say(
      "look\n</"
      "think>\n\nSo:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
      "{\"city\": "
      "\"Rome\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
      "{\"city\": \"Oslo\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>");
  const auto answer = server.chat({{"tools", tools}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json& message = answer.json["choices"][0]["message"];
  EXPECT_EQ(message["content"], "So:");
  ASSERT_EQ(message["tool_calls"].size(), 2) << answer.body;
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "weather");
  EXPECT_EQ(Json::parse(message["tool_calls"][1]["function"]["arguments"].get<std::string>())["city"],
            "Oslo");
  EXPECT_NE(message["tool_calls"][0]["id"], message["tool_calls"][1]["id"]);
  EXPECT_EQ(answer.json["choices"][0]["finish_reason"], "tool_calls");

  const auto streamed = server.chat({{"tools", tools}, {"stream", true}});
  std::vector<int> indices;
  for (const Json& event : events(streamed.body)) {
    for (const Json& call : event["choices"][0]["delta"].value("tool_calls", Json::array()))
      indices.push_back(call["index"]);
  }
  EXPECT_EQ(indices, (std::vector<int>{0, 1}));
  EXPECT_EQ(server.chat({{"tools", tools}, {"parallel_tool_calls", false}})
                .json["choices"][0]["message"]["tool_calls"]
                .size(),
            1);
  // Without tools the markup is text, and "none" shows no tools.
  EXPECT_FALSE(server.chat({{"tools", tools}, {"tool_choice", "none"}})
                   .json["choices"][0]["message"]
                   .contains("tool_calls"));
}

TEST(Chat, RequiredToolCallsAreForcedWhateverTheModelWants) {
  TestServer server;
  const Json tools = Json::parse(R"([
      {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}},
      {"type": "function", "function": {"name": "b"}}])");
  for (int seed = 0; seed < 5; ++seed) {
    const auto answer = server.chat({{"tools", tools},
                                     {"tool_choice", "required"},
                                     {"seed", seed},
                                     {"temperature", 1},
                                     {"top_p", 1},
                                     {"thinking_budget", 5},
                                     {"parallel_tool_calls", false}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json& choice = answer.json["choices"][0];
    ASSERT_EQ(choice["finish_reason"], "tool_calls") << answer.body;
    const Json& function = choice["message"]["tool_calls"][0]["function"];
    const Json arguments = Json::parse(function["arguments"].get<std::string>());
    EXPECT_EQ(arguments.contains("x") && arguments["x"].is_number_integer(), function["name"] == "a")
        << function;
  }
  const auto named = server.chat({{"tools", tools},
                                  {"tool_choice", {{"type", "function"}, {"function", {{"name", "b"}}}}},
                                  {"enable_thinking", false}});
  EXPECT_EQ(named.json["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "b") << named.body;
  EXPECT_EQ(
      server.chat({{"tools", tools}, {"tool_choice", {{"type", "function"}, {"function", {{"name", "c"}}}}}})
          .status,
      400);
}

TEST(Chat, ConstraintsBeginBehindTheThinking) {
  TestServer server;
  const Json schema = Json::parse(
      R"({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": false})");
  for (int seed = 0; seed < 5; ++seed) {
    const Json format = {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"schema", schema}}}};
    const auto answer = server.chat({{"response_format", format},
                                     {"seed", seed},
                                     {"thinking_budget", 6},
                                     {"temperature", 1},
                                     {"top_p", 1}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json& message = answer.json["choices"][0]["message"];
    const Json document = Json::parse(message["content"].get<std::string>(), nullptr, false);
    ASSERT_TRUE(document.is_object() && document["ok"].is_boolean()) << answer.body;
    EXPECT_TRUE(message.contains("reasoning_content")) << answer.body;
  }
  const auto regex = server.chat({{"guided_regex", "(yes|no)"}, {"enable_thinking", false}});
  EXPECT_THAT(regex.json["choices"][0]["message"]["content"].get<std::string>(),
              ::testing::AnyOf("yes", "no"));
  const auto choice = server.chat({{"guided_choice", {"red", "green"}}, {"enable_thinking", false}});
  EXPECT_THAT(choice.json["choices"][0]["message"]["content"].get<std::string>(),
              ::testing::AnyOf("red", "green"));
  const auto refused = server.chat({{"guided_json", {{"not", {{"uniqueItems", true}}}}}});
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("uniqueItems"));
}

TEST(Chat, ContinuesAnAssistantsMessageAlsoInsideTheThinking) {
  TestServer server;
  const auto prompt_of = [&](const Json& last, Json body = Json::object()) {
    body["messages"] = {{{"role", "user"}, {"content", "q"}}, last};
    const auto answer = server.post("/apply-template", body);
    return answer.status == 200 ? answer.json["prompt"].get<std::string>() : answer.body;
  };
  EXPECT_THAT(prompt_of({{"role", "assistant"}, {"content", "The ans"}, {"prefix", true}}),
              ::testing::EndsWith("<｜User｜>q<｜Assistant｜><think>\n\n</think>\n\nThe ans"));
  EXPECT_THAT(
      prompt_of({{"role", "assistant"}, {"content", "So"}, {"reasoning_content", "first"}, {"prefix", true}}),
      ::testing::EndsWith("<think>\nfirst\n</think>\n\nSo"));
  EXPECT_THAT(prompt_of({{"role", "assistant"}, {"reasoning_content", "half a tho"}},
                        {{"continue_final_message", true}}),
              ::testing::EndsWith("<｜Assistant｜><think>\nhalf a tho"));
  EXPECT_THAT(prompt_of({{"role", "user"}, {"content", "x"}, {"prefix", true}}), HasSubstr("prefix"));
  server.fake->say("ught.\n</think>\n\nDone.");
  const auto answer =
      server.chat({{"messages",
                    {{{"role", "user"}, {"content", "q"}},
                     {{"role", "assistant"}, {"reasoning_content", "half a tho"}, {"prefix", true}}}}});
  EXPECT_EQ(answer.json["choices"][0]["message"]["reasoning_content"], "ught.");
  EXPECT_EQ(answer.json["choices"][0]["message"]["content"], "Done.");
}

// The second of two values won, so that what looked at the first in front of the server saw another request.
TEST(Chat, RefusesAKeyThatIsGivenTwice) {
  TestServer server;
  server.fake->say("\n</think>\n\nyes");
  const std::pair<std::string, std::string> cases[] = {
      {R"({"model": "small", "messages": [{"role": "user", "content": "a"}], "model": "small"})", "model"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "a", "role": "user"}]})",
       "messages[1].role"},
      {R"({"messages": [[], {}, {"content": [{"type": "text", "t\u0079pe": "text"}]}]})",
       "messages[2].content[0].type"},
      {R"({"messages": [], "response_format": {"json_schema": {"schema": {"a": 1, "a": 1}}}})",
       "response_format.json_schema.schema.a"}};
  for (const auto& [body, param] : cases) {
    const auto answer = server.ask("POST", "/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.json["error"]["param"], param) << answer.body;
    EXPECT_EQ(answer.json["error"]["code"], "duplicate_key");
  }
  // The same key in objects of their own is no repetition.
  EXPECT_EQ(server
                .ask("POST", "/v1/chat/completions",
                     R"({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "a"}],
                           "metadata": {"model": "x", "messages": {"model": "x"}}, "model": "small"})")
                .status,
            200);
}

// JSON inside of a text is JSON from outside too: one request of a megabyte ended the server.
TEST(Chat, RefusesDeepJsonInsideOfATextField) {
  TestServer server;
  std::string deep;
  for (int i = 0; i < 500'000; ++i) deep += R"({"a":)";
  deep += "1" + std::string(500'000, '}');
  const auto schema = server.chat({{"guided_json", deep}});
  EXPECT_EQ(schema.status, 400);
  EXPECT_EQ(schema.json["error"]["message"], "guided_json is nested too deeply");
  const auto twice = server.chat({{"guided_json", R"({"type": "object", "type": "string"})"}});
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(twice.json["error"]["param"], "guided_json.type");
}

TEST(Chat, RefusesByName) {
  TestServer server;
  const std::pair<Json, const char*> cases[] = {
      {{{"temperatur", 1}}, "temperatur"},
      {{{"temperature", 3}}, "temperature"},
      {{{"temperature", "hot"}}, "temperature"},
      {{{"n", 0}}, "n"},
      {{{"max_tokens", 0}}, "max_tokens"},
      {{{"max_tokens", 1.5}}, "max_tokens"},
      {{{"top_logprobs", 3}}, "top_logprobs"},
      {{{"stop", {""}}}, "stop"},
      {{{"stream_options", {{"include_usage", true}}}}, "stream_options"},
      {{{"stream", true}, {"stream_options", {{"x", 1}}}}, "stream_options.x"},
      {{{"functions", {{{"name", "f"}}}}}, "functions"},
      {{{"tools", {{{"type", "retrieval"}}}}}, "tools[0].type"},
      {{{"tool_choice", "required"}}, "tool_choice"},
      {{{"logit_bias", {{"x", 1}}}}, "logit_bias"},
      {{{"response_format", {{"type", "xml"}}}}, "response_format.type"},
      {{{"modalities", {"audio"}}}, "modalities"},
      {{{"messages", Json::array()}}, "messages"},
      {{{"messages", {{{"role", "robot"}, {"content", ""}}}}}, "messages[0].role"},
      {{{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}},
       "messages[0].content[0]"},
      {{{"messages", {{{"role", "user"}}}}}, "messages[0].content"}};
  for (const auto& [body, param] : cases) {
    const auto answer = server.chat(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.json["error"]["param"], param) << answer.body;
    EXPECT_EQ(answer.json["error"]["type"], "invalid_request_error");
    EXPECT_TRUE(answer.json["error"]["code"].is_string()) << answer.body;
  }
  EXPECT_EQ(server.chat({{"model", "gpt-9"}}).status, 404);
  EXPECT_EQ(server.ask("POST", "/v1/chat/completions", "{\"messages\": [").status, 400);
  EXPECT_EQ(server.ask("POST", "/v1/chat/completions", "{\"a\": \"\xff\"}").status, 400);
  EXPECT_EQ(server.ask("POST", "/v1/chat/completions", std::string(100'000, '[')).status, 400);
  const auto long_prompt =
      server.chat({{"messages", {{{"role", "user"}, {"content", std::string(3000, 'x')}}}}});
  EXPECT_EQ(long_prompt.status, 400);
  EXPECT_EQ(long_prompt.json["error"]["code"], "context_length_exceeded");
  EXPECT_GT(long_prompt.json["error"]["n_prompt_tokens"], 3000);
  EXPECT_EQ(long_prompt.json["error"]["n_ctx"], 1024);
}

TEST(Chat, AnAbortedRequestFreesItsMemory) {
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
  const std::string used = "r1_kv_blocks{model=\"small\",state=\"used\"}";
  EXPECT_TRUE(server.wait_for_metric(used, [](double blocks) { return blocks > 0; }));
  sink->hang_up();
  EXPECT_TRUE(server.wait_for_metric("r1_completions_total{model=\"small\",reason=\"cancelled\"}",
                                     [](double count) { return count == 1; }));
  EXPECT_TRUE(server.wait_for_metric(used, [](double blocks) { return blocks == 0; }));
}

TEST(Chat, AFailedPassIsToldAndTheNextRequestIsServed) {
  TestServer server;
  server.fake->say("x</think>y");
  server.fake->failure = "the disk is gone";
  const auto failed = server.chat({});
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(failed.body, HasSubstr("the disk is gone"));
  EXPECT_EQ(server.chat({}).status, 200);
}

TEST(Chat, AResumableStreamGoesOnWithoutItsClient) {
  TestServer server;
  server.fake->say("thinking about it\n</think>\n\nhere it is");
  const auto sink = server.send("POST", "/v1/chat/completions",
                                Json{{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                                     {"stream", true},
                                     {"stream_options", {{"resumable", true}}}}
                                    .dump());
  sink->wait_for_text("id: 2\n");
  sink->hang_up();
  const auto first = events(sink->whole.body);
  const std::string id = first[0]["id"];
  const auto rest =
      server.ask("GET", "/v1/streams/" + id, "", {{"Last-Event-ID", std::to_string(first.size())}});
  EXPECT_EQ(rest.status, 200);
  std::string text;
  for (const auto& part : {first, events(rest.body)}) {
    for (const Json& event : part) {
      const Json& delta = event["choices"][0]["delta"];
      text += delta.value("reasoning_content", "") + delta.value("content", "");
    }
  }
  EXPECT_EQ(text, "thinking about ithere it is");
  EXPECT_EQ(server.ask("GET", "/v1/streams/" + id, "", {{"Last-Event-ID", "9999"}}).status, 410);
  EXPECT_EQ(server.ask("GET", "/v1/streams/unknown").status, 404);
}

TEST(Chat, AnswerNowClosesTheThinking) {
  TestServer server;
  std::atomic<bool> hold{true};
  server.fake->babble();
  server.fake->before_pass = [&] {
    if (hold) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  const auto sink = server.send(
      "POST", "/v1/chat/completions",
      Json{{"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"stream", true}, {"max_tokens", 500}}
          .dump());
  sink->wait_for_text("reasoning_content");
  const std::string begun = sink->text();
  const std::string id = events(begun.substr(0, begun.find("\n\n") + 2))[0]["id"];
  EXPECT_EQ(server.ask("POST", "/v1/requests/" + id + "/answer_now").status, 200);
  sink->wait_for_text("\"content\":\"");
  hold = false;
  EXPECT_EQ(server.ask("POST", "/v1/requests/" + id + "/cancel").status, 200);
  sink->wait();
  EXPECT_EQ(server.ask("POST", "/v1/requests/nothing/answer_now").status, 404);
}

TEST(Completions, ContinueTexts) {
  TestServer server;
  server.fake->say("one two three");
  const auto answer =
      server.post("/v1/completions", {{"prompt", {"say: ", "again: "}}, {"max_tokens", 30}, {"echo", true}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["choices"][0]["text"], "say: one two three");
  EXPECT_EQ(answer.json["choices"][1]["text"], "again: one two three");
  const auto streamed =
      server.post("/v1/completions", {{"prompt", "say: "}, {"stream", true}, {"max_tokens", 30}});
  std::string text;
  for (const Json& event : events(streamed.body)) text += event["choices"][0]["text"].get<std::string>();
  EXPECT_EQ(text, "one two three");
  const auto suffix = server.post("/v1/completions", {{"prompt", "x"}, {"suffix", "y"}});
  EXPECT_EQ(suffix.status, 400);
  EXPECT_EQ(suffix.json["error"]["param"], "suffix");
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", {{1, 2}, {3}}}, {"max_tokens", 2}}).status, 200);
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", {99999}}}).status, 400);
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", ""}}).status, 400);
}

TEST(Tokens, GoThereAndBack) {
  TestServer server;
  const auto tokens = server.post("/tokenize", {{"content", "héllo"}, {"with_pieces", true}});
  ASSERT_EQ(tokens.status, 200) << tokens.body;
  EXPECT_EQ(tokens.json["count"], tokens.json["tokens"].size());
  EXPECT_EQ(server.post("/detokenize", {{"tokens", tokens.json["tokens"]}}).json["content"], "héllo");
  EXPECT_EQ(server.post("/tokenize", {{"messages", {{{"role", "user"}, {"content", "hi"}}}}}).status, 200);
  EXPECT_EQ(server.post("/detokenize", {{"tokens", {-1}}}).status, 400);
}

}  // namespace
}  // namespace r1::server
