// Splits what a model generates into reasoning, answer and tool calls, while it is being generated.
//
// Rules (docs/chat-templates.md has examples):
//  - A marker that has a token id is recognised by that id alone; the same characters written with other
//    tokens are text. A marker without an id is recognised by its text, however it is cut into pieces.
//  - </think> ends the reasoning. <think> begins it: by id anywhere in the answer, by text only where nothing
//    but white space has come before it. A <think> at the start of reasoning is swallowed; any other
//    misplaced marker of thinking is text.
//  - Reasoning loses one "\n" directly after <think> and one directly before </think>. The answer loses up to
//    two "\n" directly after </think>. Nothing else is trimmed outside tool calls.
//  - Tool calls are looked for in the answer. Their markers, when they have ids, also end open reasoning.
//  - A call is reported when it is complete. A call that is malformed or cut off becomes answer text, with
//    its markers and those of its section, and an error event says why. White space inside a section around
//    its calls and behind the last call is dropped.
//  - How the text is cut into pieces makes no difference to what is reported, but for the borders of text
//    events.
//  - raw() is every piece, unchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tool_call.h"

namespace r1 {

/// A piece of markup that steers the parser.
struct StreamMarker {
  std::string text;           // its characters; empty: there is no such marker
  std::optional<int32_t> id;  // its token; without one the text counts
};

enum class StreamState { reasoning, answer };

/// Where generation starts, read from the rendered prompt.
struct StreamStart {
  StreamState state = StreamState::answer;
  bool newline_given = false;  // the "\n" after <think> is already in the prompt
};

struct StreamParserOptions {
  StreamStart start;
  // Give ids wherever the vocabulary has the token. Falling back to text is the caller's explicit choice:
  // leave the id out. An empty text switches a marker off.
  StreamMarker think_begin{"<think>", {}};
  StreamMarker think_end{"</think>", {}};
  bool tool_calls = true;  // false: all tool markup is text
  StreamMarker calls_begin{"<｜tool▁calls▁begin｜>", {}};
  StreamMarker call_begin{"<｜tool▁call▁begin｜>", {}};
  StreamMarker call_separator{"<｜tool▁sep｜>", {}};
  StreamMarker call_end{"<｜tool▁call▁end｜>", {}};
  StreamMarker calls_end{"<｜tool▁calls▁end｜>", {}};
  StreamMarker json_call_begin{"<tool_call>", {}};  // Qwen
  StreamMarker json_call_end{"</tool_call>", {}};
};

/// Bytes [begin, begin + length) of StreamParser::raw().
struct StreamRun {
  std::size_t begin = 0, length = 0;
};

struct StreamEvent {
  enum class Type { reasoning, answer, tool_call, error };
  Type type = Type::answer;
  std::string text;  // reasoning and answer: the next characters; error: what is wrong, in one line
  // Reasoning and answer: where in raw() the text was read, in order. The text of a marker whose token gave
  // no text is in no run.
  std::vector<StreamRun> runs{};
  ToolCall call{};  // tool_call
};

/// The markers of turns in the templates of the DeepSeek, Qwen and Llama-3 families.
std::span<const std::string_view> turn_markers();

/// The start for a prompt given as tokens: reasoning when the last `think_begin` has neither `think_end` nor
/// a turn's marker (`turns`: the ids of turn_markers()) behind it. `newline_given` cannot be seen from ids: pass whether the rendered text ends with "<think>\n".
StreamStart initial_state(std::span<const int32_t> prompt, int32_t think_begin, int32_t think_end,
                          std::span<const int32_t> turns, bool newline_given);

/// The same from the prompt's text, with turn_markers().
StreamStart initial_state(std::string_view prompt, std::string_view think_begin = "<think>",
                          std::string_view think_end = "</think>");

/// Not safe for use from several threads at once.
class StreamParser {
 public:
  explicit StreamParser(StreamParserOptions options);

  /// Takes the next token and its text; appends events. `id` may be absent when only text is known. The text
  /// of a marker's token may be empty, as decoders that skip special tokens make it.
  void feed(std::optional<int32_t> id, std::string_view piece, std::vector<StreamEvent>& events);

  /// The end of the stream: what was held back is reported.
  void finish(std::vector<StreamEvent>& events);

  StreamState state() const { return state_; }
  const std::string& raw() const { return raw_; }

 private:
  enum class Mark {
    think_begin,
    think_end,
    calls_begin,
    call_begin,
    separator,
    call_end,
    calls_end,
    json_begin,
    json_end
  };
  enum class Call { none, deepseek, json };

  /// Text and where it begins in raw_; npos: it is not there.
  struct Slice {
    std::string_view text;
    std::size_t begin = std::string::npos;

    Slice from(std::size_t offset) const;
    Slice first(std::size_t length) const { return {text.substr(0, length), begin}; }
  };
  /// Text that is held back, with its places in raw_.
  struct HeldText {
    std::string text;
    std::vector<StreamRun> runs;

    void add(Slice slice);
    void clear();
    bool empty() const { return text.empty(); }
  };

  const StreamMarker& marker(Mark mark) const;
  std::optional<Mark> find_by_id(int32_t id) const;
  bool is_expected(Mark mark) const;
  void match_text(std::vector<StreamEvent>& events, bool at_end);
  void on_mark(Mark mark, Slice text, bool by_id, std::vector<StreamEvent>& events);
  void on_text(Slice text, std::vector<StreamEvent>& events);
  void on_reasoning(Slice text, std::vector<StreamEvent>& events);
  void on_answer(Slice text, std::vector<StreamEvent>& events);
  void begin_call(Call kind, Slice text);
  void end_call(Slice text, std::vector<StreamEvent>& events);
  void give_up_call(std::string_view error, std::vector<StreamEvent>& events);
  void end_reasoning();
  static void emit(StreamEvent::Type type, Slice text, std::vector<StreamEvent>& events);
  static void emit_held(HeldText& held, std::vector<StreamEvent>& events);
  static void emit_error(std::string_view error, std::vector<StreamEvent>& events);

  StreamParserOptions options_;
  StreamState state_;
  std::string raw_;
  std::string pending_;            // text that may be the beginning of a marker
  std::size_t pending_begin_ = 0;  // its place in raw_

  bool reasoning_started_ = false;  // something but the first newline has come
  bool newline_allowed_ = false;    // the first newline of reasoning may still be dropped
  bool newline_held_ = false;       // a "\n" that is dropped if </think> follows
  std::size_t held_newline_ = 0;    // its place in raw_
  bool answer_started_ = false;     // something but white space has come
  int newlines_to_drop_ = 0;        // after </think>

  Call call_ = Call::none;
  bool in_section_ = false;  // between calls_begin and calls_end
  bool after_call_ = false;  // white space is held back
  HeldText spaces_;          // that white space
  HeldText section_text_;    // the section's marker while no call has come
  HeldText call_text_;       // the call's begin marker
  HeldText body_;            // what came since
};

}  // namespace r1
