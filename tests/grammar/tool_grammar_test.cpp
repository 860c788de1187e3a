// Tool calls written under a constraint are read by the parser of answers, with arguments that are valid.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grammar/schema_grammar.h"
#include "tests/grammar/grammar_testing.h"
#include "tests/grammar/schema_check.h"
#include "text/stream_parser.h"

namespace r1::grammar {
namespace {

using test::Document;

const Document& weather() {
  static const Document kParameters = Document::parse(
      R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["city"], "additionalProperties": false})");
  return kParameters;
}

/// The calls of an answer; nothing else may be in it.
std::vector<ToolCall> calls_in(const std::vector<int32_t>& tokens, const StreamParserOptions& options) {
  const Tokenizer& tokenizer = test::grammar_vocabulary().tokenizer;
  StreamParser parser(options);
  std::vector<StreamEvent> events;
  for (const int32_t token : tokens)
    parser.feed(token, tokenizer.decode(std::vector<int32_t>{token}, false), events);
  parser.finish(events);
  std::vector<ToolCall> calls;
  for (const StreamEvent& event : events) {
    EXPECT_EQ(event.type, StreamEvent::Type::tool_call) << event.text;
    calls.push_back(event.call);
  }
  return calls;
}

void expect_valid(const std::vector<ToolCall>& calls, bool parallel) {
  ASSERT_GE(calls.size(), 1U);
  if (!parallel) {
    EXPECT_EQ(calls.size(), 1U);
  }
  for (const ToolCall& call : calls) {
    const Document arguments = Document::parse(call.arguments, nullptr, false);
    ASSERT_TRUE(arguments.is_object()) << call.arguments;
    if (call.name == "now") {
      EXPECT_TRUE(arguments.empty()) << call.arguments;
    } else {
      EXPECT_EQ(call.name, "weather");
      EXPECT_TRUE(test::is_valid(arguments, weather(), weather())) << call.arguments;
    }
  }
}

TEST(ToolGrammar, WritesCallsThatTheParserReads) {
  const Tokenizer& tokenizer = test::grammar_vocabulary().tokenizer;
  const auto id = [&](const char* text) { return *tokenizer.find_special(text); };
  const ToolMarkup markup{id("<｜tool▁calls▁begin｜>"), id("<｜tool▁call▁begin｜>"), id("<｜tool▁sep｜>"),
                          id("<｜tool▁call▁end｜>"), id("<｜tool▁calls▁end｜>")};
  StreamParserOptions options;
  options.calls_begin.id = markup.calls_begin;
  options.call_begin.id = markup.call_begin;
  options.call_separator.id = markup.separator;
  options.call_end.id = markup.call_end;
  options.calls_end.id = markup.calls_end;
  bool several = false, both[2] = {false, false};
  for (const bool parallel : {false, true}) {
    const auto grammar = compile_tool_calls({{"weather", weather()}, {"now", {}}}, markup, parallel);
    for (uint64_t seed = 0; seed < 40; ++seed) {
      std::vector<int32_t> tokens;
      test::write_at_random(grammar, seed, 60, &tokens);
      const std::vector<ToolCall> calls = calls_in(tokens, options);
      expect_valid(calls, parallel);
      several = several || calls.size() > 1;
      for (const ToolCall& call : calls) both[call.name == "now" ? 1 : 0] = true;
    }
  }
  EXPECT_TRUE(several);
  EXPECT_TRUE(both[0] && both[1]);
}

TEST(ToolGrammar, WritesCallsInQwensForm) {
  // Any two added tokens may stand for the markers, which this vocabulary lacks.
  const Tokenizer& tokenizer = test::grammar_vocabulary().tokenizer;
  const int32_t begin = *tokenizer.find_special("<｜tool▁outputs▁begin｜>");
  const int32_t end = *tokenizer.find_special("<｜tool▁outputs▁end｜>");
  StreamParserOptions options;
  options.json_call_begin = {"<｜tool▁outputs▁begin｜>", begin};
  options.json_call_end = {"<｜tool▁outputs▁end｜>", end};
  for (const bool parallel : {false, true}) {
    const auto grammar = compile_json_tool_calls({{"weather", weather()}, {"now", {}}}, begin, end, parallel);
    for (uint64_t seed = 0; seed < 30; ++seed) {
      std::vector<int32_t> tokens;
      test::write_at_random(grammar, seed, 60, &tokens);
      expect_valid(calls_in(tokens, options), parallel);
    }
  }
}

TEST(ToolGrammar, ChoicesAreTheTextsAndNoOthers) {
  const auto grammar = compile_choices({"yes", "yes, please", "nö"});
  for (const char* text : {"yes", "yes, please", "nö"}) EXPECT_TRUE(test::accepts(grammar, text)) << text;
  for (const char* text : {"", "y", "yes,", "no"}) EXPECT_FALSE(test::accepts(grammar, text)) << text;
  EXPECT_THROW(compile_choices({}), std::exception);
  EXPECT_THROW(compile_choices({"a", ""}), std::exception);
}

}  // namespace
}  // namespace r1::grammar
