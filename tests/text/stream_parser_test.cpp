#include "text/stream_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace r1 {
namespace {

using Piece = std::pair<std::optional<int32_t>, std::string>;

// "R[…]" reasoning, "A[…]" answer, "C[name arguments]" call, "E" error; neighbours of one kind joined.
std::string show(const std::vector<StreamEvent>& events) {
  std::vector<std::pair<char, std::string>> parts;
  for (const StreamEvent& event : events) {
    const char kind = event.type == StreamEvent::Type::reasoning ? 'R'
                      : event.type == StreamEvent::Type::answer  ? 'A'
                      : event.type == StreamEvent::Type::error   ? 'E'
                                                                 : 'C';
    std::string text = kind == 'C' ? event.call.name + " " + event.call.arguments : event.text;
    if (kind == 'E') text.clear();
    if (!parts.empty() && parts.back().first == kind && (kind == 'R' || kind == 'A')) {
      parts.back().second += text;
    } else {
      parts.emplace_back(kind, text);
    }
  }
  std::string out;
  for (const auto& [kind, text] : parts) out += kind == 'E' ? "E" : std::string(1, kind) + "[" + text + "]";
  return out;
}

// The text of every event is found in its runs, which lie one behind the other over all events. Not where markers
// gave no text.
void check_runs(const std::vector<StreamEvent>& events, const std::string& raw) {
  std::size_t end = 0;
  for (const StreamEvent& event : events) {
    if (event.type != StreamEvent::Type::reasoning && event.type != StreamEvent::Type::answer) continue;
    std::string text;
    for (const StreamRun& run : event.runs) {
      EXPECT_GE(run.begin, end);
      end = run.begin + run.length;
      text += raw.substr(run.begin, run.length);
    }
    EXPECT_EQ(text, event.text);
  }
}

std::string parse(const std::vector<Piece>& pieces, const StreamParserOptions& options = {}) {
  StreamParser parser(options);
  std::vector<StreamEvent> events;
  std::string raw;
  bool all_have_text = true;
  for (const auto& [id, text] : pieces) {
    parser.feed(id, text, events);
    raw += text;
    all_have_text &= !text.empty();
  }
  parser.finish(events);
  EXPECT_EQ(parser.raw(), raw);
  if (all_have_text) check_runs(events, raw);
  return show(events);
}

// The whole text at once, byte by byte and in random pieces must give the same.
std::string parse_text(const std::string& text, const StreamParserOptions& options = {}) {
  const std::string whole = parse({{std::nullopt, text}}, options);
  std::vector<Piece> bytes;
  for (const char c : text) bytes.push_back({std::nullopt, std::string(1, c)});
  EXPECT_EQ(parse(bytes, options), whole);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 9;
      pieces.push_back({std::nullopt, text.substr(at, size)});
      at += size;
    }
    EXPECT_EQ(parse(pieces, options), whole);
  }
  return whole;
}

StreamParserOptions inside() {
  StreamParserOptions options;
  options.start = {StreamState::reasoning, true};
  return options;
}

StreamParserOptions with_ids() {
  StreamParserOptions options = inside();
  options.think_begin.id = 1;
  options.think_end.id = 2;
  options.calls_begin.id = 3;
  options.call_begin.id = 4;
  options.call_separator.id = 5;
  options.call_end.id = 6;
  options.calls_end.id = 7;
  return options;
}

TEST(StreamParser, SplitsReasoningFromAnswer) {
  EXPECT_EQ(parse_text("<think>\nhm\n</think>\n\nb"), "R[hm]A[b]");
  EXPECT_EQ(parse_text("hm\n</think>\n\nb", inside()), "R[hm]A[b]");
  EXPECT_EQ(parse_text("plain <b> answer"), "A[plain <b> answer]");
  EXPECT_EQ(parse_text("<think>\n\n</think>\n\nb"), "A[b]");
  EXPECT_EQ(parse_text("never ends\n", inside()), "R[never ends\n]");
}

TEST(StreamParser, TrimsExactlyTheDocumentedNewlines) {
  EXPECT_EQ(parse_text("<think>\n\n a\n\n</think>\n\n\n b\n"), "R[\n a\n]A[\n b\n]");
  EXPECT_EQ(parse_text("\nhm</think>b", inside()), "R[\nhm]A[b]");  // the template gave the newline already
  StreamParserOptions options = inside();
  options.start.newline_given = false;
  EXPECT_EQ(parse_text("\nhm</think>b", options), "R[hm]A[b]");
}

TEST(StreamParser, TellsWhereTheTextOfAnEventIsInTheStream) {
  StreamParserOptions options;
  options.start.state = StreamState::reasoning;
  options.think_end.id = 7;
  StreamParser parser(options);
  std::vector<StreamEvent> events;
  parser.feed(1, "\nab\n", events);  // 0: the first line break and, as it turns out, the last are markup
  parser.feed(7, "", events);
  parser.feed(2, "\n\nc", events);  // 5
  parser.feed(3, "d", events);
  parser.finish(events);
  ASSERT_EQ(events.size(), 2U);
  ASSERT_EQ(events[0].runs.size(), 1U);
  EXPECT_EQ(events[0].runs[0].begin, 1U);
  EXPECT_EQ(events[0].runs[0].length, 2U);
  ASSERT_EQ(events[1].runs.size(), 1U);
  EXPECT_EQ(events[1].runs[0].begin, 6U);
  EXPECT_EQ(events[1].runs[0].length, 2U);
}

TEST(StreamParser, MisplacedTagsAreText) {
  EXPECT_EQ(parse_text("a </think> b <think> c"), "A[a </think> b <think> c]");
  EXPECT_EQ(parse_text("<think>x", inside()), "R[x]");  // repeated by the model
  EXPECT_EQ(parse_text("a <think> b</think>c", inside()), "R[a <think> b]A[c]");
  EXPECT_EQ(parse_text("<thin", {}), "A[<thin]");
}

TEST(StreamParser, IdsCountAndLookAlikesDoNot) {
  EXPECT_EQ(parse({{9, "a </think> b"}, {2, "</think>"}, {9, "\n\n<think> c"}}, with_ids()),
            "R[a </think> b]A[<think> c]");
  EXPECT_EQ(parse({{9, "a"}, {2, ""}, {9, "b"}, {1, ""}, {9, "\nc"}}, with_ids()), "R[a]A[b]R[c]");
}

TEST(StreamParser, R1ToolCalls) {
  const std::string text =
      "I "
      "look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\":"
      " \"Paris\"}\n"
      "```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<"
      "｜tool▁call▁end｜>"
      "<｜tool▁calls▁end｜>\n";
  EXPECT_EQ(parse_text(text), "A[I look.]C[get_weather {\"city\": \"Paris\"}]C[g {}]");
  EXPECT_EQ(parse({{9, "hm"},
                   {3, "<｜tool▁calls▁begin｜>"},
                   {4, "<｜tool▁call▁begin｜>"},
                   {9, "function"},
                   {5, ""},
                   {9, "f\n```json\n{\"a\": \"<｜tool▁call▁end｜>\"}\n```"},
                   {6, ""},
                   {7, "<｜tool▁calls▁end｜>"}},
                  with_ids()),
            "R[hm]C[f {\"a\": \"<｜tool▁call▁end｜>\"}]");
}

TEST(StreamParser, LaterDeepSeekForm) {
  EXPECT_EQ(parse_text("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": "
                       "1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
            "C[f {\"a\": 1}]");
}

TEST(StreamParser, QwenToolCalls) {
  EXPECT_EQ(parse_text("Ok\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": "
                       "12345678901234567890.10}}\n</tool_call>\n"
                       "<tool_call>\n{\"arguments\": \"{\\\"a\\\": 1}\", \"name\": \"g\"}\n</tool_call>"),
            "A[Ok\n]C[f {\"n\": 12345678901234567890.10}]C[g {\"a\": 1}]");
  StreamParserOptions off;
  off.tool_calls = false;
  EXPECT_EQ(parse_text("<tool_call>\n{}\n</tool_call>", off), "A[<tool_call>\n{}\n</tool_call>]");
}

TEST(StreamParser, MalformedCallsStayText) {
  EXPECT_EQ(parse_text("<tool_call>\n{\"name\": \"f\"}\n</tool_call>!"),
            "A[<tool_call>\n{\"name\": \"f\"}\n</tool_call>]EA[!]");
  EXPECT_EQ(parse_text("<tool_call>\n{\"name\": \"f\", \"argu"), "A[<tool_call>\n{\"name\": \"f\", \"argu]E");
  EXPECT_EQ(
      parse_text(
          "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n{broken<｜tool▁call▁end｜>"),
      "A[<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n{broken<｜tool▁call▁end｜>]E");
  EXPECT_EQ(
      parse_text("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
      "A[<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{}<｜tool▁call▁end｜>]EA[<｜tool▁calls▁end｜>]");
  EXPECT_EQ(parse_text("<｜tool▁calls▁begin｜> a"), "A[<｜tool▁calls▁begin｜> a]");
  EXPECT_EQ(parse_text("<｜tool▁calls▁begin｜>\n"), "A[<｜tool▁calls▁begin｜>\n]E");
  EXPECT_EQ(parse_text("<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>x"),
            "A[<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>]EA[x]");
}

TEST(StreamParser, InitialStateFromText) {
  EXPECT_EQ(initial_state("<｜User｜>a<｜Assistant｜><think>\n").state, StreamState::reasoning);
  EXPECT_TRUE(initial_state("<｜User｜>a<｜Assistant｜><think>\n").newline_given);
  EXPECT_FALSE(initial_state("<｜User｜>a<｜Assistant｜><think>").newline_given);
  EXPECT_EQ(initial_state("<｜Assistant｜><think>\nfirst thoughts").state, StreamState::reasoning);
  EXPECT_EQ(initial_state("<｜Assistant｜><think>\n\n</think>\n\n").state, StreamState::answer);
  EXPECT_EQ(initial_state("<｜User｜>what is <think>?<｜Assistant｜>").state, StreamState::answer);
  EXPECT_EQ(initial_state("<|im_start|>user\n<think><|im_end|>\n<|im_start|>assistant\n").state,
            StreamState::answer);
}

TEST(StreamParser, InitialStateFromIds) {
  const std::vector<int32_t> turns = {20, 21};
  const auto state = [&](std::vector<int32_t> ids) { return initial_state(ids, 1, 2, turns, true).state; };
  EXPECT_EQ(state({20, 5, 21, 1, 6}), StreamState::reasoning);
  EXPECT_EQ(state({20, 5, 21, 1, 6, 2}), StreamState::answer);
  EXPECT_EQ(state({20, 1, 21}), StreamState::answer);
  EXPECT_EQ(state({}), StreamState::answer);
}

}  // namespace
}  // namespace r1
