// Documents written under a constraint, token by token at random, must be valid; what the grammar cannot say
// must be refused by name.
#include "grammar/schema_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grammar/constraint.h"
#include "tests/grammar/grammar_testing.h"
#include "tests/grammar/schema_check.h"
#include "tests/grammar/schema_corpus.h"

namespace r1::grammar {
namespace {

using test::accepts;
using test::Document;
using test::write_at_random;
using ::testing::HasSubstr;

TEST(SchemaGrammar, EveryRandomDocumentOfTheCorpusIsValid) {
  for (const char* text : kSchemas) {
    const Document schema = Document::parse(text);
    const auto grammar = compile_schema(schema);
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const std::string written = write_at_random(grammar, seed);
      const Document document = Document::parse(written, nullptr, false);
      ASSERT_FALSE(document.is_discarded()) << text << "\nwrote " << written;
      EXPECT_TRUE(test::is_valid(document, schema, schema)) << text << "\nwrote " << written;
    }
  }
}

TEST(SchemaGrammar, AcceptsTheUsualWaysToWriteADocument) {
  const auto grammar = compile_schema(Document::parse(
      R"({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}, "b": {"type": "string"}}, "required": ["a"]})"));
  EXPECT_TRUE(accepts(grammar, R"({"a":[1,2.5e3],"b":"x"})"));
  EXPECT_TRUE(accepts(grammar, R"({"a": [1, -0.5], "b": "é \n \u00e9 \"q\" 你好"})"));
  EXPECT_TRUE(accepts(grammar, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": \"\"\n}"));
  EXPECT_TRUE(accepts(grammar, R"({"a":[]})"));
  EXPECT_FALSE(accepts(grammar, R"({"b":"x"})"));         // a is required
  EXPECT_FALSE(accepts(grammar, R"({"b":"x","a":[]})"));  // the schema's order
  EXPECT_FALSE(accepts(grammar, R"({"a":[01]})"));
  EXPECT_FALSE(accepts(grammar, R"({"a":[1],})"));
  EXPECT_FALSE(accepts(grammar, "{\"a\":[1],\"b\":\"\n\"}"));   // a control character
  EXPECT_FALSE(accepts(grammar, R"({"a":[1],"b":"\ud800"})"));  // half a character
  EXPECT_FALSE(accepts(grammar, R"({"a":[1]} )"));
}

TEST(SchemaGrammar, AdditionalKeysAreNeverTheDeclaredOnes) {
  const auto grammar = compile_schema(Document::parse(
      R"({"type": "object", "properties": {"ab": {"type": "integer"}}, "additionalProperties": {"type": "string"}})"));
  EXPECT_TRUE(accepts(grammar, R"({"ab":1,"a":"x","abc":"y","b":""})"));
  EXPECT_FALSE(accepts(grammar, R"({"ab":"x"})"));
  EXPECT_FALSE(accepts(grammar, R"({"a\u0062":"x"})"));
}

TEST(SchemaGrammar, RefusesByNameWhatItCannotHold) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties": {"a": {"$dynamicRef": "#x"}}})", "schema.properties.a: \"$dynamicRef\""},
      {R"({"$schema": "http://json-schema.org/draft-03/schema#", "extends": {}})", "extends"},
      {R"({"type": "number", "multipleOf": 123456.7})", "multipleOf"},
      {R"({"type": "number", "multipleOf": 0})", "multipleOf"},
      {R"({"not": {"type": "array", "uniqueItems": true}, "type": "array"})", "uniqueItems"},
      {R"({"not": {"propertyNames": {"maxLength": 3}}, "type": "object"})", "propertyNames"},
      {R"({"$ref": "https://example.com/schema"})", "$ref"},
      {R"({"$ref": "#/$defs/absent"})", "$defs/absent"},
      {R"({"$ref": "#absent"})", "#absent"},
      {R"({"$ref": "#"})", "itself"},
      {R"({"anyOf": [{"$ref": "#"}]})", "itself"},
      {R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})",
       "itself"},
      {R"({"type": "text"})", "type"},
      {R"({"type": []})", "type"},
      {R"j({"type": "string", "pattern": "(?<=a)b"})j", "schema.pattern: regular expression: look-behind"},
      {R"j({"type": "string", "pattern": "(a)\\1"})j", "back-reference"},
      {R"({"type": "string", "pattern": "[a"})", "class without an end"},
      {R"({"type": "string", "minLength": 5, "maxLength": 2})", "contradict"},
      {R"({"type": "string", "minLength": -1})", "minLength"},
      {R"({"type": "integer", "minimum": 5, "maximum": 2})", "contradict"},
      {R"({"type": "integer", "minimum": "5"})", "minimum"},
      {R"({"properties": {"a": {"properties": {"b": {"enum": []}}, "required": ["b"]}}, "required": ["a"]})",
       "schema.properties.a.properties.b: no text fits"},
      {R"({"properties": 3})", "properties"},
      {R"({"required": [3]})", "required"},
      {R"({"anyOf": 3})", "anyOf"},
      {R"({"enum": [1, 2], "minimum": 3})", "contradict"},
      {R"({"allOf": [{"type": "string"}, {"type": "null"}]})", "contradict"},
      {R"(false)", "nothing fits"},
      {R"(3)", "expected a schema"},
      {R"({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": true, "minItems": 3})", "contradict"},
      {R"({"type": "string", "pattern": "(a{1000}){1000}"})", "too large"}};
  for (const auto& [schema, word] : cases) {
    try {
      compile_schema(Document::parse(schema));
      ADD_FAILURE() << "accepted: " << schema;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(word)) << schema;
    }
  }
}

// Closed objects that know different properties: a document with both was written, which both forbid.
TEST(SchemaGrammar, ClosedObjectsInAllOfForbidTheOthersProperties) {
  const char* const required = R"({"allOf": [
      {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false},
      {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"], "additionalProperties": false}]})";
  EXPECT_THROW(compile_schema(Document::parse(required)), Error);
  const auto free = compile_schema(Document::parse(R"({"$defs": {"c": {"type": "object",
      "properties": {"a": {}, "c": {}}, "additionalProperties": false}},
      "$ref": "#/$defs/c", "properties": {"b": {}, "c": {"type": "null"}}, "additionalProperties": false})"));
  EXPECT_TRUE(accepts(free, R"({"c":null})"));
  EXPECT_TRUE(accepts(free, "{}"));
  EXPECT_FALSE(accepts(free, R"({"a":1})"));
  EXPECT_FALSE(accepts(free, R"({"b":1})"));
}

TEST(SchemaGrammar, RulesBesideConstantsChooseAmongThem) {
  struct Case {
    const char* schema;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {
      {R"({"type": "integer", "enum": [1, 50], "minimum": 10})", {"50"}, {"1"}},
      {R"({"enum": ["ab", "xb"], "pattern": "^x"})", {"\"xb\""}, {"\"ab\""}},
      {R"({"enum": ["a", 5, null, 2.5], "type": ["string", "integer"]})", {"\"a\"", "5"}, {"null", "2.5"}},
      {R"({"const": 5, "enum": [4, 5.0]})", {"5"}, {"4"}},
      {R"({"enum": [1, 2, 3], "anyOf": [{"const": 1}, {"minimum": 3}]})", {"1", "3"}, {"2"}},
      {R"({"enum": ["2024-02-30", "2024-02-29"], "format": "date"})", {"\"2024-02-29\""}, {"\"2024-02-30\""}},
      {R"({"enum": [[1], [1, 1], {"a": 1}, {}], "uniqueItems": true, "minProperties": 1})",
       {"[1]", R"({"a":1})"},
       {"[1,1]", "{}"}},
      {R"({"enum": [1, 2, 3], "not": {"const": 2}})", {"1", "3"}, {"2"}},
      {R"({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]})", {"2"}, {"1", "3"}},
  };
  for (const Case& one : cases) {
    const auto grammar = compile_schema(Document::parse(one.schema));
    for (const char* text : one.yes) EXPECT_TRUE(accepts(grammar, text)) << one.schema << " on " << text;
    for (const char* text : one.no) EXPECT_FALSE(accepts(grammar, text)) << one.schema << " on " << text;
  }
  EXPECT_THROW(compile_schema(Document::parse(R"({"const": 5, "type": "string"})")), Error);
  EXPECT_THROW(compile_schema(Document::parse(R"({"const": "abc", "pattern": "^x"})")), Error);
}

// Generators write words that only describe; drafts 4 to 7 write some things otherwise.
TEST(SchemaGrammar, AnnotationsAreIgnoredAndOldDraftsUnderstood) {
  for (const char* word :
       {"id", "self", "links", "javaType", "_format", "unit", "enumDescriptions", "$comment", "discriminator",
        "contentEncoding", "$vocabulary", "x-order", "deprecated", "version"}) {
    const auto grammar = compile_schema(Document{{"type", "integer"}, {word, "anything"}});
    EXPECT_TRUE(accepts(grammar, "5")) << word;
    EXPECT_FALSE(accepts(grammar, "\"5\"")) << word;
  }
  const auto tuple = compile_schema(Document::parse(
      R"({"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": false})"));
  EXPECT_TRUE(accepts(tuple, R"([1,"a"])"));
  EXPECT_TRUE(accepts(tuple, "[1]"));
  EXPECT_FALSE(accepts(tuple, R"([1,"a",2])"));
  EXPECT_FALSE(accepts(tuple, R"(["a"])"));
  const auto encoded = compile_schema(Document::parse(
      R"({"$ref": "#/definitions/a%3Cb~1c%3E", "definitions": {"a<b/c>": {"type": "null"}}})"));
  EXPECT_TRUE(accepts(encoded, "null"));
  const auto anchor = compile_schema(
      Document::parse(R"({"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "boolean"}}})"));
  EXPECT_TRUE(accepts(anchor, "true"));
  const auto embedded = compile_schema(Document::parse(
      R"({"$id": "https://example.com/root.json", "$ref": "item.json#/$defs/n", "$defs": {"x": {"$id": "item.json", "$defs": {"n": {"type": "integer"}}}}})"));
  EXPECT_TRUE(accepts(embedded, "7"));
  const auto record = compile_schema(Document::parse(
      R"({"type": "object", "propertyNames": {"enum": ["b", "a"]}, "additionalProperties": {"type": "integer"}, "required": ["a", "b"]})"));
  EXPECT_TRUE(accepts(record, R"({"a":1,"b":2})"));
  EXPECT_FALSE(accepts(record, R"({"a":1})"));
  EXPECT_FALSE(accepts(record, R"({"a":1,"b":2,"c":3})"));
  const auto unevaluated = compile_schema(Document::parse(
      R"({"allOf": [{"properties": {"a": {"type": "integer"}}}], "properties": {"b": {"type": "null"}}, "unevaluatedProperties": false})"));
  EXPECT_TRUE(accepts(unevaluated, R"({"b":null,"a":1})"));
  EXPECT_FALSE(accepts(unevaluated, R"({"b":null,"a":1,"c":2})"));
}

TEST(SchemaGrammar, ItemsOfAListWithoutRepeatsDiffer) {
  const auto strings = compile_schema(
      Document::parse(R"({"type": "array", "items": {"type": "string"}, "uniqueItems": true})"));
  EXPECT_TRUE(accepts(strings, R"(["a","b","ab"])"));
  EXPECT_FALSE(accepts(strings, R"(["a","b","a"])"));
  EXPECT_FALSE(accepts(strings, R"(["a","\u0061"])"));
  const auto numbers = compile_schema(
      Document::parse(R"({"type": "array", "items": {"type": "number"}, "uniqueItems": true})"));
  EXPECT_TRUE(accepts(numbers, "[1,12,2]"));
  EXPECT_FALSE(accepts(numbers, "[1,12,1]"));
  EXPECT_FALSE(accepts(numbers, "[1,1.0]"));
  const auto few = compile_schema(Document::parse(
      R"({"type": "array", "items": {"enum": ["a", "ab", 1]}, "uniqueItems": true, "minItems": 2})"));
  EXPECT_TRUE(accepts(few, R"(["ab","a"])"));
  EXPECT_TRUE(accepts(few, R"([1,"ab","a"])"));
  EXPECT_FALSE(accepts(few, R"(["ab"])"));
  EXPECT_FALSE(accepts(few, R"(["ab","ab"])"));
  const auto objects = compile_schema(Document::parse(
      R"({"type": "array", "items": {"type": "object", "additionalProperties": {"type": "integer"}}, "uniqueItems": true})"));
  EXPECT_TRUE(accepts(objects, R"([{"a":1},{"a":2}])"));
  EXPECT_FALSE(accepts(objects, R"([{"a":1,"b":2},{"b":2,"a":1}])"));
  // Where all values of an enumeration are used, the list ends.
  const auto flags = compile_schema(
      Document::parse(R"({"type": "array", "items": {"type": "boolean"}, "uniqueItems": true})"));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Document written = Document::parse(write_at_random(flags, seed));
    EXPECT_LE(written.size(), 2U);
  }
}

// A name twice in one object: readers differ in which they believe.
TEST(SchemaGrammar, NamesAreWrittenOnce) {
  for (const char* schema : {"{}", R"({"type": "object"})",
                             R"({"additionalProperties": {"type": "integer"}, "minProperties": 2})"}) {
    const auto grammar = compile_schema(Document::parse(schema));
    EXPECT_TRUE(accepts(grammar, R"({"a":1,"b":2})")) << schema;
    EXPECT_FALSE(accepts(grammar, R"({"a":1,"a":2})")) << schema;
    EXPECT_FALSE(accepts(grammar, R"({"a":1,"\u0061":2})")) << schema;
  }
}

TEST(SchemaGrammar, LongNamesCostTheirBytes) {
  const auto schema = [](size_t letters) {
    return Document{{"properties", {{std::string(letters, 'a'), {{"type", "null"}}}}},
                    {"additionalProperties", true}};
  };
  EXPECT_NO_THROW(compile_schema(schema(20'000)));
  EXPECT_THROW(compile_schema(schema(300'000)), Error);
}

// Definitions that were joined were copied: a chain of twelve, each used twice, took gigabytes.
TEST(SchemaGrammar, SharedDefinitionsAreNotCopied) {
  Document definitions;
  for (int i = 0; i < 12; ++i) {
    const Document next = {{"$ref", "#/$defs/n" + std::to_string(i + 1)}, {"minProperties", 0}};
    definitions["n" + std::to_string(i)] = {{"type", "object"}, {"properties", {{"a", next}, {"b", next}}}};
  }
  definitions["n12"] = {
      {"properties", {{"c", {{"type", "null"}, {"description", std::string(1 << 20, 'x')}}}}}};
  Budget budget;
  compile_schema({{"$defs", definitions}, {"$ref", "#/$defs/n0"}}, budget);
  EXPECT_LT(budget.states(), 20'000);
}

// Each of these held a server's engine for half a minute, or would.
TEST(SchemaGrammar, HostileSchemasEndWithinTheBudget) {
  Document many = Document::array();
  for (int branch = 0; branch < 8; ++branch) {
    Document constants = Document::array();
    for (int i = 0; i < 12'000; ++i) constants.push_back("constant " + std::to_string(branch * 12'000 + i));
    many.push_back({{"enum", std::move(constants)}});
  }
  Document deep = true;
  for (int i = 0; i < 2'000; ++i) deep = {{"type", "object"}, {"properties", {{"a", std::move(deep)}}}};
  Document chain;
  for (int i = 0; i < 3'000; ++i)
    chain["n" + std::to_string(i)] = {{"$ref", "#/$defs/n" + std::to_string(i + 1)}};
  chain["n3000"] = {{"type", "null"}};
  Document doubling = Document::array();
  for (int i = 0; i < 40; ++i)
    doubling.push_back({{"anyOf", {{{"minLength", i}}, {{"pattern", "a{" + std::to_string(i) + "}"}}}}});
  Document overlapping = Document::array();
  for (int i = 0; i < 30; ++i)
    overlapping.push_back(
        {{"properties", {{"p" + std::to_string(i), {{"type", "integer"}}}}}, {"type", "object"}});
  Document patterns;
  for (int i = 0; i < 90; ++i) patterns["a.*" + std::to_string(i)] = {{"minimum", i}};
  const Document schemas[] = {{{"oneOf", many}},
                              deep,
                              {{"$defs", chain}, {"$ref", "#/$defs/n0"}},
                              {{"allOf", doubling}},
                              {{"oneOf", overlapping}},
                              {{"patternProperties", patterns}},
                              {{"type", "array"}, {"minItems", 90'000}, {"items", {{"type", "null"}}}},
                              {{"type", "string"}, {"minLength", 1'000'000'000}},
                              {{"type", "object"}, {"minProperties", 500'000}}};
  for (const Document& schema : schemas) {
    Budget budget;
    try {
      const auto grammar = compile_schema(schema, budget);
      Constraint constraint(grammar, test::grammar_vocabulary().trie, {});
      EXPECT_FALSE(test::allowed_tokens(constraint.allowed({})).empty());
    } catch (const Error& error) {
      EXPECT_THAT(error.what(),
                  ::testing::AnyOf(HasSubstr("too large"), HasSubstr("too complex"), HasSubstr("too many")))
          << schema.dump().substr(0, 100);
    }
    EXPECT_LE(budget.steps(), budget.limits().steps + 2'000'000) << schema.dump().substr(0, 100);
  }
}

TEST(SchemaGrammar, EndsSoonAfterItIsCancelled) {
  Document constants = Document::array();
  for (int i = 0; i < 20'000; ++i) constants.push_back("constant " + std::to_string(i));
  int asked = 0;
  Budget budget({}, [&] { return ++asked > 2; });
  try {
    compile_schema({{"enum", constants}}, budget);
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
    EXPECT_EQ(asked, 3);
  }
}

}  // namespace
}  // namespace r1::grammar
