// Constraints: where they begin, which tokens they let through, what finding these may cost.
#include "grammar/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"
#include "tests/grammar/schema_check.h"
#include "tests/grammar/schema_corpus.h"

namespace r1::grammar {
namespace {

using test::allowed_tokens;
using test::Document;

TEST(Constraint, BeginsBehindTheThinkingAndForbidsToEndInside) {
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
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

/// What a machine says when it takes each token byte by byte.
std::vector<int32_t> by_trying(const Grammar& grammar, const std::string& before) {
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
  std::string text;
  Machine machine(grammar, &text);
  ConfigurationId at = machine.start(grammar.rule_start(grammar.root()));
  for (const char c : before) {
    text.push_back(c);
    at = machine.step(at, static_cast<uint8_t>(c));
  }
  std::vector<int32_t> expected;
  for (int32_t token = 0; token < v.tokenizer.size(); ++token) {
    if (v.tokenizer.is_special(token) || v.tokenizer.is_added(token)) continue;
    ConfigurationId next = at;
    text = before;
    for (const char c : v.tokenizer.token_bytes(token)) {
      if (next == Machine::kDead) break;
      text.push_back(c);
      next = machine.step(next, static_cast<uint8_t>(c));
    }
    if (next != Machine::kDead) expected.push_back(token);
  }
  if (machine.at(at).ends) expected.push_back(v.end);
  return expected;
}

/// Masks must not depend on the way they are found: each allowed set is compared with trying every token.
TEST(Constraint, MasksAreWhatTryingEveryTokenSays) {
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
  int compared = 0;
  for (const char* schema : kSchemas) {
    const auto grammar = compile_schema(Document::parse(schema));
    std::vector<int32_t> tokens;
    test::write_at_random(grammar, 100, 25, &tokens);
    Constraint constraint(grammar, v.trie, {});
    std::string text;
    for (size_t length = 0; length <= std::min<size_t>(tokens.size(), 40); ++length) {
      ASSERT_EQ(allowed_tokens(constraint.allowed(std::span(tokens).first(length))),
                by_trying(*grammar, text))
          << schema << " behind " << text;
      if (length < tokens.size()) text += v.tokenizer.token_bytes(tokens[length]);
      ++compared;
    }
  }
  EXPECT_GT(compared, 800);
}

TEST(Constraint, ManyPlacesAtOnceGiveTheSameMask) {
  Document alternatives = Document::array();
  for (int i = 0; i < 12; ++i)
    alternatives.push_back({{"type", "string"}, {"pattern", "^[a-m]{" + std::to_string(i) + "}n"}});
  const auto grammar = compile_schema({{"anyOf", alternatives}});
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
  Constraint constraint(grammar, v.trie, {});
  std::vector<int32_t> tokens;
  std::string text;
  for (const char* piece : {"\"", "ab", "c", "n", "x"}) {
    ASSERT_EQ(allowed_tokens(constraint.allowed(tokens)), by_trying(*grammar, text)) << text;
    tokens.push_back(v.tokenizer.encode(piece, false).front());
    text += piece;
  }
}

TEST(Constraint, RefusesTokensThatBreakTheGrammar) {
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
  Constraint constraint(compile_choices({"yes", "no"}), v.trie, {});
  const std::vector<int32_t> wrong = {v.tokenizer.encode("x", false).front()};
  EXPECT_THROW(constraint.allowed(wrong), Error);
}

TEST(Constraint, FindingAMaskHasABudget) {
  const test::GrammarVocabulary& v = test::grammar_vocabulary();
  const auto grammar = compile_json_object();
  Constraint enough(grammar, v.trie, {}, 1'000'000);
  EXPECT_NO_THROW(enough.allowed({}));
  Constraint few(compile_json_object(), v.trie, {}, 100);
  try {
    few.allowed({});
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("too complex"));
  }
}

/// What is remembered is bounded: long answers forget and find again.
TEST(Machine, ForgetsAndFindsAgain) {
  const auto grammar = compile_regex("(a|b)*a(a|b){13}");
  Machine machine(*grammar);
  ConfigurationId at = machine.start(grammar->rule_start(grammar->root()));
  machine.pin(at);
  std::string text;
  for (uint64_t i = 0; i < 200'000; ++i) {
    const char c = (random_bits(i, 7) & 1) != 0 ? 'a' : 'b';
    text.push_back(c);
    const ConfigurationId next = machine.step(at, static_cast<uint8_t>(c));
    machine.pin(next);
    machine.unpin(at);
    at = next;
    const bool expected = text.size() > 13 && text[text.size() - 14] == 'a';
    ASSERT_EQ(machine.at(at).ends, expected) << i;
  }
  EXPECT_LT(machine.configurations(), 80'000U);
}

}  // namespace
}  // namespace r1::grammar
