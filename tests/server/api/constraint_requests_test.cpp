// Schemas that clients send, through the whole server: what comes back is a document that the schema allows, or the
// request is refused because none is. Each test is a kind of fault that was seen; its schemas are siblings.
#include <gmock/gmock.h>

#include <set>

#include "tests/grammar/schema_check.h"
#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using test::Answer;
using test::Json;
using test::TestServer;
using ::testing::HasSubstr;

constexpr int kSeeds = 6;

/// Holds one property to a schema, as generators of clients do.
Json wrapped(const Json& schema) {
  return {{"type", "object"},
          {"properties", {{"e", schema}}},
          {"required", {"e"}},
          {"additionalProperties", false}};
}

Json chat_with(const Json& schema, int seed) {
  return {
      {"reasoning_effort", "none"},
      {"temperature", 2},
      {"seed", seed},
      {"max_tokens", 400},
      {"loop_detection", false},
      {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"schema", schema}}}}}};
}

class ConstraintRequests : public ::testing::Test {
 protected:
  /// The values of "e" that came; each is checked by the plain validator.
  std::vector<Json> written(const Json& schema, int seeds = kSeeds) {
    const Json whole = wrapped(schema);
    std::vector<Json> values;
    for (int seed = 0; seed < seeds; ++seed) {
      const Answer answer = server_.chat(chat_with(whole, seed));
      EXPECT_EQ(answer.status, 200) << schema << answer.body;
      if (answer.status != 200) break;
      const Json& choice = answer.json["choices"][0];
      if (choice["finish_reason"] == "length") continue;  // too long for this context, not wrong
      const std::string text = choice["message"]["content"];
      const Json document = Json::parse(text, nullptr, false);
      EXPECT_FALSE(document.is_discarded()) << text;
      if (document.is_discarded()) break;
      EXPECT_TRUE(r1::test::is_valid(document, whole, whole)) << text << " for " << schema;
      values.push_back(document["e"]);
    }
    return values;
  }

  /// On every API and in every field that takes a schema; each error names the client's own field.
  void expect_refused(const Json& schema, const std::string& code) {
    const Json whole = wrapped(schema);
    Json guided = chat_with(whole, 0);
    guided.erase("response_format");
    guided["guided_json"] = whole;
    const Json hi = {{{"role", "user"}, {"content", "hi"}}};
    const Json format = {{"type", "json_schema"}, {"name", "x"}, {"schema", whole}};
    const std::pair<Answer, const char*> answers[] = {
        {server_.chat(chat_with(whole, 0)), "response_format.json_schema.schema"},
        {server_.chat(guided), "guided_json"},
        {server_.post("/v1/responses", {{"input", "hi"}, {"text", {{"format", format}}}}),
         "text.format.schema"},
    };
    for (const auto& [answer, field] : answers) {
      EXPECT_EQ(answer.status, 400) << schema << answer.body;
      EXPECT_EQ(answer.json["error"]["code"], code) << answer.body;
      EXPECT_EQ(answer.json["error"]["param"], field);
      EXPECT_THAT(answer.json["error"]["message"].get<std::string>(), ::testing::StartsWith(field));
    }
    const Answer messages = server_.post(
        "/v1/messages", {{"max_tokens", 20},
                         {"messages", hi},
                         {"output_config", {{"format", {{"type", "json_schema"}, {"schema", whole}}}}}});
    EXPECT_EQ(messages.status, 400) << messages.body;
    EXPECT_THAT(messages.json["error"]["message"].get<std::string>(), HasSubstr("output_config.format"));
  }

  TestServer server_;
};

Json closed(const char* name) {
  return {{"type", "object"},
          {"properties", {{name, {{"type", "integer"}}}}},
          {"required", {name}},
          {"additionalProperties", false}};
}

TEST_F(ConstraintRequests, PartsThatForbidEachOthersPropertiesFitNoDocument) {
  const Json a = closed("a"), b = closed("b");
  expect_refused({{"allOf", {a, b}}}, "unsupported_schema");
  Json beside = a;
  beside["allOf"] = {b};
  expect_refused(beside, "unsupported_schema");
  expect_refused({{"anyOf", {Json{{"allOf", {a, b}}}, Json{{"allOf", {b, a}}}}}}, "unsupported_schema");
  // Where one part leaves the other's property open, and where both know both, there are documents.
  Json open = b;
  open.erase("additionalProperties");
  Json both = a;
  both["properties"]["b"] = {{"minimum", 3}};
  for (const Json& value : written({{"allOf", {both, open}}})) {
    EXPECT_EQ(value.size(), 2U) << value;
  }
  written({{"anyOf", {a, b}}});
}

TEST_F(ConstraintRequests, RulesBesideConstantsChooseAmongThem) {
  const std::pair<Json, Json> cases[] = {
      {{{"type", "integer"}, {"enum", {1, 50}}, {"minimum", 10}}, 50},
      {{{"enum", {"ab", "xb"}}, {"pattern", "^x"}}, "xb"},
      {{{"enum", {5, "5", nullptr}}, {"type", "string"}}, "5"},
      {{{"enum", {"no date", "2024-02-29"}}, {"format", "date"}}, "2024-02-29"},
      {{{"const", 7}, {"enum", {6, 7}}}, 7},
      {{{"enum", {1, "a"}}, {"anyOf", {Json{{"type", "string"}}, Json{{"minimum", 2}, {"type", "number"}}}}},
       "a"},
      {{{"enum", {"a", "abc"}}, {"minLength", 2}}, "abc"},
      {{{"enum", {Json::array({1, 1}), Json::array({1, 2})}}, {"uniqueItems", true}}, {1, 2}},
  };
  for (const auto& [schema, only] : cases) {
    for (const Json& value : written(schema, 3)) EXPECT_EQ(value, only) << schema;
  }
  for (const Json& schema :
       {Json{{"const", "abc"}, {"pattern", "^x"}}, Json{{"const", 5}, {"type", "string"}},
        Json{{"enum", {1, 2}}, {"minimum", 3}}, Json{{"const", 1}, {"enum", {2}}}})
    expect_refused(schema, "unsupported_schema");
}

TEST_F(ConstraintRequests, RangesHoldMoreThanTheirWholeNumbers) {
  const Json ranges[] = {
      {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 1}},
      {{"type", "number"}, {"exclusiveMinimum", 0}, {"exclusiveMaximum", 1}},
      {{"type", "number"}, {"minimum", 0}, {"maximum", 0.5}},
      {{"type", "number"}, {"minimum", 0.1}, {"maximum", 0.9}},
      {{"type", "number"}, {"minimum", -0.5}, {"maximum", 0.5}},
      {{"type", "number"}, {"minimum", 0.5}, {"maximum", 1.5}},
      {{"type", "number"}, {"minimum", 2.2}, {"maximum", 2.8}},
      {{"type", "number"}, {"minimum", 36.5}, {"maximum", 38.5}},
      {{"type", "number"}, {"minimum", 0}, {"exclusiveMinimum", true}, {"maximum", 1}},
      {{"type", "number"}, {"minimum", 1e15}},
  };
  for (const Json& range : ranges) {
    std::set<double> different;
    for (const Json& value : written(range, 12)) different.insert(value.get<double>());
    EXPECT_GT(different.size(), 2U) << range;
  }
  for (const Json& empty : {Json{{"type", "integer"}, {"minimum", 2.2}, {"maximum", 2.8}},
                            Json{{"type", "number"}, {"exclusiveMinimum", 1}, {"maximum", 1}}})
    expect_refused(empty, "unsupported_schema");
}

// As zod 4 and pydantic write them.
TEST_F(ConstraintRequests, FormatsPatternsAndLengthsHoldTogether) {
  const Json texts[] = {
      {{"format", "uuid"}, {"pattern", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"}},
      {{"format", "email"}, {"pattern", R"(^[A-Za-z0-9_+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$)"}},
      {{"format", "date"}, {"pattern", "^2[0-9]{3}-"}},
      {{"format", "ipv4"}, {"minLength", 9}},
      {{"format", "ipv6"}},
      {{"format", "duration"}, {"maxLength", 12}},
      {{"format", "uri"}, {"minLength", 5}, {"maxLength", 40}},
      {{"format", "nanoid"}, {"pattern", "^[a-zA-Z0-9_-]{21}$"}},
      {{"format", "binary"}, {"maxLength", 5}},
      {{"format", "starts_with"}, {"pattern", "^ab.*"}, {"maxLength", 8}},
      {{"minLength", 3}, {"maxLength", 6}, {"pattern", "^[a-z]+$"}},
  };
  for (Json schema : texts) {
    schema["type"] = "string";
    const std::vector<Json> values = written(schema);
    EXPECT_FALSE(values.empty()) << schema;
  }
  // An expression that could only be followed approximately is refused by name.
  expect_refused({{"type", "string"}, {"pattern", R"(^(?<=x)a$)"}}, "unsupported_schema");
}

TEST_F(ConstraintRequests, AHostsNameHas253CharactersAtMost) {
  for (const Json& schema : {Json{{"type", "string"}, {"format", "hostname"}},
                             Json{{"type", "string"}, {"format", "hostname"}, {"minLength", 200}}}) {
    for (const Json& value : written(schema)) EXPECT_LE(value.get<std::string>().size(), 253U);
  }
  expect_refused({{"type", "string"}, {"format", "hostname"}, {"minLength", 254}}, "unsupported_schema");
}

TEST_F(ConstraintRequests, AnnotationsAndOldDraftsAreTaken) {
  const auto kind = [](const char* name) {
    return Json{{"type", "object"}, {"properties", {{"k", {{"const", name}}}}}, {"required", {"k"}}};
  };
  const Json schemas[] = {
      {{"discriminator", {{"propertyName", "k"}}}, {"oneOf", {kind("a"), kind("b")}}},
      {{"type", "string"}, {"contentEncoding", "base64"}, {"maxLength", 8}},
      {{"type", "number"}, {"unit", "m"}, {"enumDescriptions", {"x"}}, {"minimum", 1}, {"maximum", 9}},
      {{"$vocabulary", {{"https://json-schema.org/draft/2020-12/vocab/core", true}}}, {"type", "boolean"}},
      {{"type", "array"},
       {"items", {Json{{"type", "boolean"}}, Json{{"enum", {1, 2}}}}},
       {"additionalItems", false},
       {"minItems", 2}},
      {{"type", "object"},
       {"propertyNames", {{"enum", {"x", "y"}}}},
       {"additionalProperties", {{"type", "integer"}, {"maximum", 9}, {"minimum", 0}}},
       {"required", {"x", "y"}}},
      {{"type", "object"},
       {"properties", {{"a", {{"type", "null"}}}}},
       {"unevaluatedProperties", false},
       {"required", {"a"}}},
      {{"type", "boolean"},
       {"javaType", "x"},
       {"_format", 1},
       {"links", Json::array()},
       {"deprecated", true}},
  };
  for (const Json& schema : schemas) EXPECT_FALSE(written(schema, 3).empty()) << schema;
  const Json whole = {{"type", "object"},
                      {"properties", {{"e", {{"$ref", "#/$defs/Record%3Cstring%3E"}}}}},
                      {"required", {"e"}},
                      {"additionalProperties", false},
                      {"$defs", {{"Record<string>", {{"enum", {"r"}}}}}}};
  const Answer answer = server_.chat(chat_with(whole, 0));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(Json::parse(answer.json["choices"][0]["message"]["content"].get<std::string>())["e"], "r");
}

}  // namespace
}  // namespace r1::server
