// Tool calls as models write them, one at a time: the text between the markers of a call becomes a name and
// the JSON of its arguments. Sources: the chat templates of DeepSeek-R1 and of Qwen2.5.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace r1 {

struct ToolCall {
  std::string id;         // given by whoever asked; empty when the model wrote the call
  std::string name;       // of the function
  std::string arguments;  // text of a JSON object, exactly as written
};

/// Levels of brackets that a call's JSON may have.
inline constexpr int kMaxCallLevels = 200;

/// What lies between the call's begin and end markers, `separator` being the text of R1's <｜tool▁sep｜>:
///   function<｜tool▁sep｜>NAME\n```json\n{…}\n```     as R1 writes it, or
///   NAME<｜tool▁sep｜>{…}                              as later DeepSeek models do.
/// Nothing when it is malformed; `error` then says why, in one line.
std::optional<ToolCall> parse_deepseek_call(std::string_view body, std::string_view separator,
                                            std::string& error);

/// {"name": NAME, "arguments": {…}}, as Qwen2.5 writes it; "arguments" may be an object or the text of one.
std::optional<ToolCall> parse_json_call(std::string_view body, std::string& error);

}  // namespace r1
