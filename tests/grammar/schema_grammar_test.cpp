// Documents written under a constraint, token by token at random, must be valid; what the grammar cannot say
// must be refused by name.
#include "grammar/schema_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "base/error.h"
#include "base/random.h"
#include "grammar/constraint.h"
#include "grammar/regex_grammar.h"
#include "tests/grammar/schema_check.h"
#include "tests/grammar/small_vocabulary.h"

namespace r1::grammar {
namespace {

using test::Document;
using ::testing::HasSubstr;

struct Vocabulary {
  Tokenizer tokenizer = test::small_tokenizer();
  int32_t end = *tokenizer.eos();
  std::shared_ptr<const TokenTrie> trie =
      std::make_shared<TokenTrie>(tokenizer, tokenizer.size() + 5, std::vector<int32_t>{end});
};

const Vocabulary& vocabulary() {
  static const Vocabulary kVocabulary;
  return kVocabulary;
}

std::vector<int32_t> allowed_tokens(std::span<const uint64_t> mask) {
  std::vector<int32_t> tokens;
  for (size_t word = 0; word < mask.size(); ++word) {
    for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1)
      tokens.push_back(static_cast<int32_t>(word * 64 + std::countr_zero(bits)));
  }
  return tokens;
}

/// A text drawn at random from the grammar; after `patience` tokens the end and closing signs are preferred.
std::string write_at_random(const std::shared_ptr<const Grammar>& grammar, uint64_t seed, int patience = 60,
                            std::vector<int32_t>* out = nullptr) {
  const Vocabulary& v = vocabulary();
  Constraint constraint(grammar, v.trie, {});
  std::vector<int32_t> tokens;
  for (int step = 0; step < 3000; ++step) {
    std::vector<int32_t> allowed = allowed_tokens(constraint.allowed(tokens));
    if (allowed.empty()) {
      ADD_FAILURE() << "nothing is allowed after " << v.tokenizer.decode(tokens, false);
      break;
    }
    if (step > patience) {
      std::vector<int32_t> closing;
      for (const int32_t token : allowed) {
        const bool ends = token == v.end ||
                          (token < v.tokenizer.size() &&
                           (v.tokenizer.token_bytes(token) == "}" || v.tokenizer.token_bytes(token) == "]" ||
                            v.tokenizer.token_bytes(token) == "\""));
        if (ends) closing.push_back(token);
      }
      if (!closing.empty() && random_bits(seed, 100'000 + step) % 8 != 0) allowed = closing;
    }
    const int32_t token = allowed[random_bits(seed, step) % allowed.size()];
    if (token == v.end) {
      if (out != nullptr) *out = tokens;
      return v.tokenizer.decode(tokens, false);
    }
    tokens.push_back(token);
  }
  ADD_FAILURE() << "does not end: " << v.tokenizer.decode(tokens, false).substr(0, 300);
  return "";
}

const char* const kCorpus[] = {
    R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"], "additionalProperties": false})",
    R"({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}, "c": {"type": "boolean"}}})",
    R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {}}, "required": ["b"], "additionalProperties": {"type": "integer"}})",
    R"({"type": "object", "properties": {"ab": {"type": "integer"}, "abc": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}})",
    R"({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5})",
    R"({"type": "array", "items": {"type": "array", "items": {"enum": ["x", "y", 3, null]}}})",
    R"({"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": {"type": "null"}, "maxItems": 4})",
    R"({"enum": ["red", "green", "bl\"ue", 1, 2.5, null, true, {"a": [1]}]})",
    R"({"const": {"fixed": ["value", 1]}})",
    R"({"type": ["string", "null"]})",
    R"({"type": "string", "minLength": 3, "maxLength": 6})",
    R"({"type": "string", "maxLength": 0})",
    R"({"type": "string", "pattern": "^[a-c]{2,4}-\\d+$"})",
    R"({"type": "string", "pattern": "ab|[xy]z"})",
    R"({"type": "integer", "minimum": -17, "maximum": 2345})",
    R"({"type": "integer", "minimum": 98})",
    R"({"type": "integer", "maximum": -5})",
    R"({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10})",
    R"({"type": "number", "minimum": 0, "maximum": 1})",
    R"({"type": "number", "exclusiveMinimum": -2, "maximum": 3.5})",
    R"({"type": "number", "exclusiveMinimum": 0})",
    R"({"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}]})",
    R"({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["kind", "n"]}, {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]}]})",
    R"({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}, "required": ["b"]}]})",
    R"({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["value"]}}, "$ref": "#/$defs/node"})",
    R"({"type": "object", "properties": {"next": {"$ref": "#"}, "v": {"type": "boolean"}}, "required": ["v"]})",
    R"({"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "boolean"}})",
    R"({"type": "object", "propertyNames": {"pattern": "^k[0-9]$"}, "additionalProperties": {"type": "null"}})",
    R"({"type": "object", "required": ["free"], "properties": {}, "additionalProperties": {"type": "integer"}})",
    R"({"type": "object"})",
    R"({})",
    R"({"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "object", "properties": {"explanation": {"type": "string"}, "output": {"type": "string"}}, "required": ["explanation", "output"], "additionalProperties": false}}, "final_answer": {"type": "string"}}, "required": ["steps", "final_answer"], "additionalProperties": false})",
    R"({"type": "object", "properties": {"姓名": {"type": "string"}, "quo\"te": {"type": "integer"}}, "required": ["姓名", "quo\"te"]})",
};

TEST(SchemaGrammar, EveryRandomDocumentOfTheCorpusIsValid) {
  for (const char* text : kCorpus) {
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

TEST(SchemaGrammar, FormatsLookAsTheyShould) {
  const std::pair<const char*, const char*> formats[] = {
      {"date", R"(\d{4}-\d\d-\d\d)"},
      {"time", R"(\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))"},
      {"date-time", R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))"},
      {"uuid", R"([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"},
      {"ipv4", R"(\d+(\.\d+){3})"},
      {"email", R"(\S+@\S+\.\S+)"},
      {"uri", R"(https?://\S+)"}};
  for (const auto& [name, pattern] : formats) {
    const auto grammar = compile_schema(Document{{"type", "string"}, {"format", name}});
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Document written = Document::parse(write_at_random(grammar, seed));
      EXPECT_TRUE(std::regex_match(written.get<std::string>(), std::regex(pattern)))
          << name << ": " << written;
    }
  }
}

/// Whether the grammar lets the text be written with the tokens that the tokenizer makes of it, and end
/// there.
bool accepts(const std::shared_ptr<const Grammar>& grammar, const std::string& text) {
  const Vocabulary& v = vocabulary();
  Constraint constraint(grammar, v.trie, {});
  std::vector<int32_t> tokens;
  for (const int32_t token : v.tokenizer.encode(text, true)) {
    const auto mask = constraint.allowed(tokens);
    if ((mask[token / 64] >> (token % 64) & 1) == 0) return false;
    tokens.push_back(token);
  }
  const auto mask = constraint.allowed(tokens);
  return (mask[v.end / 64] >> (v.end % 64) & 1) != 0;
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
      {R"({"type": "array", "uniqueItems": true})", "uniqueItems"},
      {R"({"not": {"type": "string"}})", "not"},
      {R"({"if": {}, "then": {}})", "if"},
      {R"({"type": "object", "patternProperties": {"^a": {}}})", "patternProperties"},
      {R"({"type": "number", "multipleOf": 0.1})", "multipleOf"},
      {R"({"$ref": "https://example.com/schema"})", "$ref"},
      {R"({"$ref": "#/$defs/absent"})", "$defs/absent"},
      {R"({"$ref": "#"})", "itself"},
      {R"({"anyOf": [{"$ref": "#"}]})", "itself"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "oneOf"},
      {R"({"type": "text"})", "type"},
      {R"({"type": "string", "format": "iri-reference"})", "iri-reference"},
      {R"j({"type": "string", "pattern": "(?=a)"})j", "look-around"},
      {R"j({"type": "string", "pattern": "(a)\\1"})j", "back-reference"},
      {R"({"type": "string", "pattern": "[a"})", "class without an end"},
      {R"({"type": "string", "minLength": 5, "maxLength": 2})", "minLength"},
      {R"({"type": "integer", "minimum": 5, "maximum": 2})", "no integer"},
      {R"({"type": "number", "minimum": 0.2, "maximum": 0.8})", "range of numbers"},
      {R"({"properties": 3})", "properties"},
      {R"({"enum": []})", "enum"},
      {R"(false)", "nothing fits"},
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

// A name's letters were followed by recursion: 148,500 of them used the stack up.
TEST(SchemaGrammar, RefusesNamesThatAreTooLongToBeToldFromOthers) {
  const auto schema = [](size_t letters) {
    return Document{{"properties", {{std::string(letters, 'a'), {{"type", "null"}}}}},
                    {"additionalProperties", true}};
  };
  EXPECT_NO_THROW(compile_schema(schema(1024)));
  try {
    compile_schema(schema(148'500));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("a property's name of 148500 bytes"));
  }
}

// Definitions that are joined with rules beside their references are copied: a chain of twelve, each used
// twice, and a megabyte of description at its end, took gigabytes.
TEST(SchemaGrammar, RefusesJoinedSchemasThatGrowWithoutMeasure) {
  Document definitions;
  for (int i = 0; i < 12; ++i) {
    const Document next = {{"$ref", "#/$defs/n" + std::to_string(i + 1)}, {"minProperties", 0}};
    definitions["n" + std::to_string(i)] = {{"type", "object"}, {"properties", {{"a", next}, {"b", next}}}};
  }
  definitions["n12"] = {
      {"properties", {{"c", {{"type", "null"}, {"description", std::string(1 << 20, 'x')}}}}}};
  try {
    compile_schema({{"$defs", definitions}, {"$ref", "#/$defs/n0"}});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("joined schemas have more than"));
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  }
}

TEST(RegexGrammar, MatchesWholeTexts) {
  struct Case {
    const char* expression;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {{"(yes|no)!*", {"yes", "no!!!"}, {"", "maybe", "yes!?"}},
                        {"[^a-z\\d]{2}", {"AB", "你好"}, {"A", "a1", "ABC"}},
                        {"\\w+\\s\\S", {"ab_1 ?"}, {"ab?"}},
                        {"a{,2}", {"a{,2}"}, {"a", "aa"}},
                        {"x{2}y{1,}z{0,1}", {"xxyyy", "xxyz"}, {"xy", "xxyzz"}},
                        {"(?:a|b)*?c", {"c", "abac"}, {"ab"}},
                        {"^\\u4f60\\x41$", {"你A"}, {"你"}},
                        {"\\[\\]\\.\\/-", {"[]./-"}, {"[]"}},
                        {".", {"é", "\t"}, {"\n", ""}}};
  for (const Case& one : cases) {
    const auto grammar = compile_regex(one.expression);
    for (const char* text : one.yes) EXPECT_TRUE(accepts(grammar, text)) << one.expression << " on " << text;
    for (const char* text : one.no) EXPECT_FALSE(accepts(grammar, text)) << one.expression << " on " << text;
  }
}

TEST(Constraint, BeginsBehindTheThinkingAndForbidsToEndInside) {
  const Vocabulary& v = vocabulary();
  const int32_t close = *v.tokenizer.find_special("</think>");
  const auto token = [&](const char* text) { return v.tokenizer.encode(text, false).front(); };
  const auto grammar = compile_json_object();
  const auto allows = [](std::span<const uint64_t> mask, int32_t id) {
    return (mask[id / 64] >> (id % 64) & 1) != 0;
  };
  Constraint constraint(grammar, v.trie, {true, *v.tokenizer.find_special("<think>"), close});
  std::vector<int32_t> tokens;
  auto mask = constraint.allowed(tokens);
  EXPECT_TRUE(allows(mask, token("x")));
  EXPECT_TRUE(allows(mask, close));
  EXPECT_FALSE(allows(mask, v.end));
  tokens = {token("x"), token("{"), close};
  mask = constraint.allowed(tokens);
  EXPECT_TRUE(allows(mask, token("{")));
  EXPECT_TRUE(allows(mask, token("\n")));
  EXPECT_FALSE(allows(mask, token("x")));
  EXPECT_FALSE(allows(mask, v.end));
  tokens.push_back(token("\n"));
  tokens.push_back(token("\n"));
  mask = constraint.allowed(tokens);
  EXPECT_FALSE(allows(mask, token("\n")));
  tokens.push_back(token("{"));
  tokens.push_back(token("}"));
  mask = constraint.allowed(tokens);
  EXPECT_EQ(allowed_tokens(mask), std::vector<int32_t>{v.end});
}

TEST(ToolGrammar, WritesCallsThatTheParserReads) {
  const Vocabulary& v = vocabulary();
  const auto id = [&](const char* text) { return *v.tokenizer.find_special(text); };
  const ToolMarkup markup{id("<｜tool▁calls▁begin｜>"), id("<｜tool▁call▁begin｜>"), id("<｜tool▁sep｜>"),
                          id("<｜tool▁call▁end｜>"), id("<｜tool▁calls▁end｜>")};
  const Document parameters = Document::parse(
      R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]})");
  const auto grammar = compile_tool_calls({{"weather", parameters}, {"now", {}}}, markup, true);
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::string text = write_at_random(grammar, seed);
    EXPECT_THAT(text,
                ::testing::StartsWith("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"));
    EXPECT_THAT(text, ::testing::EndsWith("\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"));
  }
}

/// Masks must not depend on the way they are found: each allowed set is compared with trying every token.
TEST(Constraint, MasksAreWhatTryingEveryTokenSays) {
  const Vocabulary& v = vocabulary();
  for (const char* text : {kCorpus[0], kCorpus[3], kCorpus[10], kCorpus[24], kCorpus[30]}) {
    const auto grammar = compile_schema(Document::parse(text));
    for (uint64_t seed = 100; seed < 104; ++seed) {
      std::vector<int32_t> tokens;
      write_at_random(grammar, seed, 40, &tokens);
      Constraint constraint(grammar, v.trie, {});
      Machine machine(*grammar);
      ConfigurationId at = machine.start(grammar->rule_start(grammar->root()));
      for (size_t length = 0; length <= tokens.size(); ++length) {
        std::vector<int32_t> expected;
        for (int32_t token = 0; token < v.tokenizer.size(); ++token) {
          if (v.tokenizer.is_special(token) || v.tokenizer.is_added(token)) continue;
          ConfigurationId next = at;
          for (const char c : v.tokenizer.token_bytes(token)) {
            if (next != Machine::kDead) next = machine.step(next, static_cast<uint8_t>(c));
          }
          if (next != Machine::kDead) expected.push_back(token);
        }
        if (machine.at(at).ends) expected.push_back(v.end);
        ASSERT_EQ(allowed_tokens(constraint.allowed(std::span(tokens).first(length))), expected);
        if (length == tokens.size()) break;
        for (const char c : v.tokenizer.token_bytes(tokens[length]))
          at = machine.step(at, static_cast<uint8_t>(c));
      }
    }
  }
}

}  // namespace
}  // namespace r1::grammar
