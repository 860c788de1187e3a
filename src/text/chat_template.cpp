#include "text/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_depth.h"
#include "base/json_text.h"

namespace r1 {

namespace {

using nlohmann::ordered_json;

std::string get_text(const ordered_json& json, const char* field, const char* where) {
  const auto found = json.find(field);
  if (found == json.end() || found->is_null()) return {};
  if (!found->is_string())
    throw_error(ErrorKind::invalid_argument, "{}: \"{}\" must be a text, found {}", where, field,
                found->type_name());
  return found->get<std::string>();
}

std::optional<std::string> get_content(const ordered_json& json) {
  const auto found = json.find("content");
  if (found == json.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array())
    throw_error(ErrorKind::invalid_argument,
                "message: \"content\" must be a text, a list of parts or null, found {}", found->type_name());
  std::string text;
  for (const ordered_json& part : *found) {
    const std::string type = part.is_object() ? get_text(part, "type", "content part") : std::string();
    if (type != "text")
      throw_error(ErrorKind::unsupported,
                  "message: a content part of type \"{}\": only \"text\" is supported", type);
    const std::string line = get_text(part, "text", "content part");
    if (!text.empty() && !line.empty()) text += '\n';
    text += line;
  }
  return text;
}

ToolCall get_tool_call(const ordered_json& json) {
  if (!json.is_object() || !json.contains("function") || !json["function"].is_object())
    throw_error(ErrorKind::invalid_argument,
                "message: an entry of \"tool_calls\" lacks the object \"function\"");
  const ordered_json& function = json["function"];
  ToolCall call;
  call.id = get_text(json, "id", "tool call");
  call.name = get_text(function, "name", "tool call");
  if (call.name.empty())
    throw_error(ErrorKind::invalid_argument, "message: a tool call without a function's name");
  const auto arguments = function.find("arguments");
  if (arguments == function.end()) {
    call.arguments = "{}";
  } else {
    call.arguments = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
  }
  return call;
}

// Two calls of one tool and its answer, as a template may meet them.
ordered_json probe_variables(const ordered_json& arguments) {
  ordered_json call = {
      {"id", "call_0"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", arguments}}}};
  ordered_json variables;
  variables["messages"] = {
      {{"role", "user"}, {"content", "a"}},
      {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", ordered_json::array({call})}},
      {{"role", "tool"}, {"content", "b"}, {"tool_call_id", "call_0"}, {"name", "f"}},
  };
  variables["bos_token"] = variables["eos_token"] = "";
  variables["add_generation_prompt"] = true;
  return variables;
}

constexpr std::string_view kOpenTag = "<think>", kCloseTag = "</think>";
// Stands for a quoted </think> while a template is rendered: noncharacters of Unicode, which no text has.
constexpr std::string_view kQuotedClose = "\xef\xb7\x90/think\xef\xb7\x91";

void replace_all(std::string& text, size_t from, std::string_view old, std::string_view by) {
  for (size_t at = text.find(old, from); at != std::string::npos; at = text.find(old, at + by.size()))
    text.replace(at, old.size(), by);
}

/// Templates take everything up to the last </think> for thinking. In a request thinking is apart from the content,
/// but for a block that the content begins with: any other </think> is text that the answer quotes.
void hide_quoted_tags(ChatMessage& message) {
  if (message.role != "assistant" || !message.content) return;
  std::string& text = *message.content;
  size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string::npos) return;
  if (std::string_view(text).substr(from).starts_with(kOpenTag)) {
    from = text.find(kCloseTag, from);
    if (from == std::string::npos) return;
    from += kCloseTag.size();
  }
  replace_all(text, from, kCloseTag, kQuotedClose);
}

/// Published templates of the R1 family show one system message, the last; joined, as the family's later templates
/// join them, none is lost.
void join_system_messages(std::vector<ChatMessage>& messages) {
  const auto is_system = [](const ChatMessage& message) { return message.role == "system"; };
  const auto first = std::ranges::find_if(messages, is_system);
  if (first == messages.end()) return;
  std::string text = first->content.value_or("");
  for (auto next = first + 1; next != messages.end(); ++next) {
    if (is_system(*next)) text += "\n\n" + next->content.value_or("");
  }
  first->content = std::move(text);
  messages.erase(std::remove_if(first + 1, messages.end(), is_system), messages.end());
}

}  // namespace

ChatMessage ChatMessage::from_json(const ordered_json& json) {
  if (!json.is_object())
    throw_error(ErrorKind::invalid_argument, "message: expected an object, found {}", json.type_name());
  ChatMessage message;
  message.role = get_text(json, "role", "message");
  if (message.role.empty()) throw_error(ErrorKind::invalid_argument, "message: \"role\" is missing");
  message.content = get_content(json);
  if (json.contains("reasoning_content") && !json["reasoning_content"].is_null())
    message.reasoning_content = get_text(json, "reasoning_content", "message");
  message.name = get_text(json, "name", "message");
  message.tool_call_id = get_text(json, "tool_call_id", "message");
  if (const auto calls = json.find("tool_calls"); calls != json.end() && !calls->is_null()) {
    if (!calls->is_array())
      throw_error(ErrorKind::invalid_argument, "message: \"tool_calls\" must be a list, found {}",
                  calls->type_name());
    for (const ordered_json& call : *calls) message.tool_calls.push_back(get_tool_call(call));
  }
  if (!message.content && message.tool_calls.empty())
    throw_error(ErrorKind::invalid_argument, "message of role \"{}\": \"content\" is missing", message.role);
  return message;
}

ChatTemplate::ChatTemplate(std::string source, std::string bos, std::string eos, const JinjaOptions& options)
    : source_(std::move(source)),
      bos_(std::move(bos)),
      eos_(std::move(eos)),
      options_(options),
      template_(JinjaTemplate::parse(source_, options)),
      argument_objects_(takes_argument_objects()) {}

// Published templates disagree: some join the arguments with text, some pass them through tojson. Try an
// object first.
bool ChatTemplate::takes_argument_objects() const {
  try {
    const std::string text = template_.render(probe_variables(ordered_json{{"probe_argument", 1}}));
    return text.find("\"probe_argument\": 1") != std::string::npos ||
           text.find("\"probe_argument\":1") != std::string::npos;
  } catch (const JinjaError&) {
    return false;
  }
}

ordered_json ChatTemplate::to_json(const ChatMessage& message) const {
  ordered_json json;
  json["role"] = message.role;
  json["content"] = message.content ? ordered_json(*message.content) : ordered_json(nullptr);
  if (message.reasoning_content) json["reasoning_content"] = *message.reasoning_content;
  if (!message.name.empty()) json["name"] = message.name;
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  if (message.tool_calls.empty()) return json;
  ordered_json calls = ordered_json::array();
  for (const ToolCall& call : message.tool_calls) {
    ordered_json arguments = call.arguments;
    if (argument_objects_) {
      if (is_nested_deeper(call.arguments, kMaxCallLevels))
        throw_error(ErrorKind::invalid_argument,
                    "message: the arguments of a tool call are nested deeper than {} levels", kMaxCallLevels);
      ordered_json parsed = parse_json_or_discard<ordered_json>(call.arguments);
      if (parsed.is_object()) arguments = std::move(parsed);
    }
    ordered_json entry;
    if (!call.id.empty()) entry["id"] = call.id;
    entry["type"] = "function";
    entry["function"] = {{"name", call.name}, {"arguments", std::move(arguments)}};
    calls.push_back(std::move(entry));
  }
  json["tool_calls"] = std::move(calls);
  return json;
}

std::string ChatTemplate::render(const ChatRequest& request) const {
  ordered_json variables = request.variables->is_object() ? *request.variables : ordered_json::object();
  variables["messages"] = ordered_json::array();
  for (const ChatMessage& message : request.messages) variables["messages"].push_back(to_json(message));
  if (!request.tools->is_null()) variables["tools"] = *request.tools;
  variables["add_generation_prompt"] = request.add_generation_prompt;
  variables["bos_token"] = bos_;
  variables["eos_token"] = eos_;
  return template_.render(variables);
}

std::string ChatTemplate::render_conversation(ChatRequest request) const {
  if (is_r1_family()) join_system_messages(request.messages);
  for (ChatMessage& message : request.messages) hide_quoted_tags(message);
  std::string prompt = render(request);
  replace_all(prompt, 0, kQuotedClose, kCloseTag);
  return prompt;
}

bool ChatTemplate::is_r1_family() const {
  return source_.find("<｜User｜>") != std::string::npos &&
         source_.find("<｜Assistant｜>") != std::string::npos;
}

ChatTemplate ChatTemplate::for_tools() const {
  if (!is_r1_family())
    throw_error(ErrorKind::unsupported,
                "chat template: the corrected tool template is for the R1 family only");
  return ChatTemplate(std::string(kR1ToolTemplate), bos_, eos_, options_);
}

ordered_json render_template_line(const JinjaTemplate& parsed, const ordered_json& line,
                                  const std::optional<std::string>& bos,
                                  const std::optional<std::string>& eos, const std::optional<std::tm>& now) {
  ordered_json result;
  if (!line.is_object())
    throw_error(ErrorKind::invalid_argument, "template line: expected an object, found {}", line.type_name());
  const auto input = line.find("input");
  ordered_json variables =
      input != line.end() && input->is_object() && !line.contains("messages") ? *input : line;
  if (bos && !variables.contains("bos_token")) variables["bos_token"] = *bos;
  if (eos && !variables.contains("eos_token")) variables["eos_token"] = *eos;
  try {
    result["output"] = parsed.render(variables, now);
  } catch (const JinjaError& error) {
    result["error"] = error.type();
    result["message"] = error.message();
  }
  return result;
}

}  // namespace r1
