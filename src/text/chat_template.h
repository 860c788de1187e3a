// From a conversation to the text that a model continues, by the template that the model was published with.
#pragma once

#include <ctime>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/boxed_json.h"
#include "text/jinja.h"
#include "text/tool_call.h"

namespace r1 {

struct ChatMessage {
  std::string role;                      // system, user, assistant, tool
  std::optional<std::string> content{};  // null only beside tool calls
  std::optional<std::string>
      reasoning_content{};             // of an assistant; the published R1 templates do not render it
  std::vector<ToolCall> tool_calls{};  // of an assistant
  std::string name{};                  // of a tool; may be empty
  std::string tool_call_id{};          // of a tool's answer; may be empty

  /// Reads the OpenAI form; `content` may be a list of text parts, which are joined by line breaks. Throws
  /// Error(invalid_argument) naming the field, Error(unsupported) for parts that are no text.
  static ChatMessage from_json(const nlohmann::ordered_json& json);
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  BoxedJson<nlohmann::ordered_json> tools;  // array in the OpenAI form, or null
  bool add_generation_prompt = true;
  /// More variables for the template ("enable_thinking"): an object, or null.
  BoxedJson<nlohmann::ordered_json> variables;
};

/// A template for tool use with models of the R1 family, whose published templates never show the tools to
/// the model and break off after a tool's answer. Written for this program; docs/chat-templates.md says what
/// differs.
extern const std::string_view kR1ToolTemplate;

/// Immutable; safe to use from many threads at once.
class ChatTemplate {
 public:
  /// Throws JinjaError for a template that does not parse. `bos` and `eos` are the texts of those tokens.
  ChatTemplate(std::string source, std::string bos, std::string eos, const JinjaOptions& options = {});

  /// The prompt, byte for byte what the published template gives. Throws JinjaError.
  std::string render(const ChatRequest& request) const;
  /// The same for messages whose thinking is apart from their content. Templates take what an assistant's content has
  /// before its last </think> for thinking and leave it out; here only a <think>…</think> that the content begins with
  /// is thinking, and any other </think> is text that the answer quotes. Of templates of the R1 family, which may show
  /// the last system message alone, all system messages are joined by an empty line.
  std::string render_conversation(ChatRequest request) const;

  const std::string& source() const { return source_; }
  /// Whether the template looks at the variable `tools` at all.
  bool shows_tools() const { return template_.mentions("tools"); }
  /// Whether this is a template of the R1 family, so that for_tools() applies.
  bool is_r1_family() const;
  /// kR1ToolTemplate with this template's tokens. Throws Error(unsupported) for other families.
  ChatTemplate for_tools() const;

 private:
  nlohmann::ordered_json to_json(const ChatMessage& message) const;
  bool takes_argument_objects() const;

  std::string source_, bos_, eos_;
  JinjaOptions options_;
  JinjaTemplate template_;
  bool argument_objects_;  // tool calls carry {"a": 1} and not its text
};

/// One line of `r1 debug template FILE --jsonl`: the variables themselves, or {"input": variables, …}. Every
/// key is passed to the template as it is; `bos` and `eos` fill in for bos_token and eos_token where a line
/// has none (null: they stay undefined). Gives {"output": text} or {"error": Python's name of the exception,
/// "message": …}.
nlohmann::ordered_json render_template_line(const JinjaTemplate& parsed, const nlohmann::ordered_json& line,
                                            const std::optional<std::string>& bos = {},
                                            const std::optional<std::string>& eos = {},
                                            const std::optional<std::tm>& now = {});

}  // namespace r1
