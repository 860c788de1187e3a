// OpenAI's Responses API, and embeddings.
#include <cmath>
#include <filesystem>
#include <numeric>

#include "formats/synth.h"
#include "server/models/embedding.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server {
namespace {

using test::Answer;
using test::Json;
using test::TestServer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::vector<std::string> types(const std::vector<Json>& events) {
  std::vector<std::string> result;
  for (const Json& event : events) {
    const std::string type = event["type"];
    if (result.empty() || result.back() != type) result.push_back(type);
  }
  return result;
}

TEST(Responses, HasThinkingAndMessageAsItems) {
  TestServer server;
  server.fake->say("Let me see.</think>\n\nIt is 4.");
  const Answer answer = server.post("/v1/responses", {{"input", "2 + 2?"},
                                                      {"instructions", "Be brief."},
                                                      {"max_output_tokens", 100},
                                                      {"metadata", {{"a", "b"}}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json["object"], "response");
  EXPECT_EQ(answer.json["status"], "completed");
  EXPECT_EQ(answer.json["store"], false);
  EXPECT_EQ(answer.json["metadata"]["a"], "b");
  EXPECT_EQ(answer.json["top_p"], 0.95) << "as it is written, not as a float's digits";
  EXPECT_EQ(answer.json["instructions"], "Be brief.");
  ASSERT_EQ(answer.json["output"].size(), 2U);
  EXPECT_EQ(answer.json["output"][0]["type"], "reasoning");
  EXPECT_EQ(answer.json["output"][0]["content"][0]["text"], "Let me see.");
  EXPECT_EQ(answer.json["output"][1]["content"][0]["type"], "output_text");
  EXPECT_EQ(answer.json["output"][1]["content"][0]["text"], "It is 4.");
  EXPECT_EQ(answer.json["usage"]["output_tokens_details"]["reasoning_tokens"], 12);
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("Be brief.<｜User｜>2 + 2?<｜Assistant｜><think>"));
}

TEST(Responses, StreamsTheSameAsEvents) {
  TestServer server;
  server.fake->say("Hm.</think>\n\nYes.");
  const Json body = {{"input", "Well?"}, {"stream", true}};
  const auto sink = server.send("POST", "/v1/responses", body.dump());
  const std::string text = sink->wait().body;
  EXPECT_THAT(
      text,
      HasSubstr("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"));
  const std::vector<Json> all = test::events(text);
  EXPECT_THAT(
      types(all),
      ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                  "response.content_part.added", "response.reasoning_text.delta",
                  "response.reasoning_text.done", "response.content_part.done", "response.output_item.done",
                  "response.output_item.added", "response.content_part.added", "response.output_text.delta",
                  "response.output_text.done", "response.content_part.done", "response.output_item.done",
                  "response.completed"));
  std::string content;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["sequence_number"], i);
    if (all[i]["type"] == "response.output_text.delta") content += all[i]["delta"];
  }
  EXPECT_EQ(content, "Yes.");
  EXPECT_EQ(all.back()["response"]["output"][1]["content"][0]["text"], "Yes.");
  EXPECT_EQ(all.front()["response"]["output"].size(), 0U);
}

TEST(Responses, CallsFunctionsAndTakesTheirOutput) {
  TestServer server;
  server.fake->say(
      "</"
      "think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{"
      "\"city\": "
      "\"Oslo\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>");
  const Json tools = Json::array(
      {{{"type", "function"}, {"name", "weather"}, {"parameters", {{"type", "object"}}}, {"strict", false}}});
  const Answer called = server.post("/v1/responses", {{"input", "Weather?"}, {"tools", tools}});
  ASSERT_EQ(called.status, 200) << called.body;
  const Json call = called.json["output"].back();
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "weather");
  EXPECT_EQ(call["arguments"], "{\"city\": \"Oslo\"}");
  server.fake->say("ok</think>\n\nIt rains.");
  const Answer told = server.post(
      "/v1/responses",
      {{"tools", tools},
       {"input",
        Json::array(
            {{{"role", "user"}, {"content", Json::array({{{"type", "input_text"}, {"text", "Weather?"}}})}},
             {{"type", "reasoning"}, {"id", "rs_1"}, {"summary", Json::array()}},
             call,
             {{"type", "function_call_output"}, {"call_id", call["call_id"]}, {"output", "rain"}}})}});
  ASSERT_EQ(told.status, 200) << told.body;
  EXPECT_EQ(told.json["output"].back()["content"][0]["text"], "It rains.");
  EXPECT_THAT(server.fake->last_sequence(), HasSubstr("rain<｜tool▁output▁end｜>"));
}

TEST(Responses, HoldsTheAnswerToASchemaAndTellsWhenItIsCut) {
  TestServer server;
  const Json schema = {{"type", "object"},
                       {"properties", {{"n", {{"enum", {7}}}}}},
                       {"required", {"n"}},
                       {"additionalProperties", false}};
  const Answer bound =
      server.post("/v1/responses",
                  {{"input", "A number."},
                   {"reasoning", {{"effort", "none"}}},
                   {"text", {{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", schema}}}}}});
  ASSERT_EQ(bound.status, 200) << bound.body;
  EXPECT_EQ(Json::parse(bound.json["output"][0]["content"][0]["text"].get<std::string>())["n"], 7);
  server.fake->say("A long thought that goes on.</think>\n\nx");
  const Answer cut = server.post("/v1/responses", {{"input", "Think."}, {"max_output_tokens", 5}});
  EXPECT_EQ(cut.json["status"], "incomplete");
  EXPECT_EQ(cut.json["incomplete_details"]["reason"], "max_output_tokens");
}

TEST(Responses, RefusesWhatWouldHaveToBeStored) {
  TestServer server;
  for (const auto& [field, value] : std::vector<std::pair<const char*, Json>>{
           {"previous_response_id", "resp_1"}, {"background", true}, {"truncation", "auto"}, {"tempo", 1}}) {
    const Answer refused = server.post("/v1/responses", {{"input", "x"}, {field, value}});
    EXPECT_EQ(refused.status, 400) << field;
    EXPECT_EQ(refused.json["error"]["param"], field);
  }
  const Answer image = server.post(
      "/v1/responses",
      {{"input", Json::array({{{"role", "user"}, {"content", Json::array({{{"type", "input_image"}}})}}})}});
  EXPECT_EQ(image.json["error"]["param"], "input[0].content[0]");
  EXPECT_EQ(server.post("/v1/responses", {{"model", "small"}}).json["error"]["param"], "input");
}

TEST(Embeddings, AreTheMeanOfTheLastHiddenStates) {
  const r1::test::TemporaryFolder folder;
  const auto path = folder / "model.gguf";
  SynthOptions options;
  options.type = "F32";
  write_synthetic_gguf("tiny-qwen2", path, options);
  TestServer server;
  ModelSettings settings = server.settings;
  settings.kernels = &kernels::select_kernels();
  settings.engine.kv_bytes = 0;
  const auto model = ServedModel::load("tiny", path, settings);
  std::vector<int32_t> tokens(300);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * 7 % 200);
  const std::vector<float> vector = model->embed(tokens);
  const auto hidden = model->info().hidden;
  ASSERT_EQ(std::ssize(vector), hidden);
  EXPECT_NEAR(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0), 1.0, 1e-5);

  // All at once, and by the definition.
  const Model& whole = model->model();
  ThreadPool pool(1);
  Context context(pool, *settings.kernels, Arithmetic::exact);
  KvCache cache(whole.kv_layers(), 10, DType::f32, DType::f32);
  std::vector<int32_t> blocks(10), wanted(300);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::iota(wanted.begin(), wanted.end(), 0);
  const SequenceSlice slice{300, 0, blocks};
  std::vector<float> states(static_cast<size_t>(300 * hidden));
  whole.hidden_states(context, {tokens, std::span(&slice, 1), wanted}, cache, states.data());
  std::vector<double> mean(static_cast<size_t>(hidden), 0.0);
  for (int64_t row = 0; row < 300; ++row) {
    for (int64_t i = 0; i < hidden; ++i)
      mean[static_cast<size_t>(i)] += states[static_cast<size_t>(row * hidden + i)] / 300;
  }
  const double length = std::sqrt(std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0));
  for (size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(vector[i], mean[i] / length, 1e-4) << i;
}

TEST(Embeddings, RefusesWhatItCannotRead) {
  TestServer server;
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", ""}}).status, 400);
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", {{1, 2}, {100000}}}}).json["error"]["param"],
            "input[1]");
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", "x"}, {"dimensions", 3}}).json["error"]["param"],
            "dimensions");
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", std::string(2000, 'x')}}).json["error"]["code"],
            "context_length_exceeded");
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", "x"}}).status, 400)
      << "the scripted model has no states";
}

}  // namespace
}  // namespace r1::server
