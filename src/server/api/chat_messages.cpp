#include "server/api/chat_messages.h"

#include <algorithm>
#include <set>

namespace r1::server {
namespace {

bool is_text_part(std::string_view type) {
  return type == "text" || type == "input_text" || type == "output_text";
}

bool is_thinking_part(std::string_view type) {
  return type == "thinking" || type == "reasoning" || type == "redacted_thinking" || type == "reasoning_text";
}

ToolCall read_call(const Json& value, const std::string& field) {
  JsonFields call(value, field, RequestObject::history);
  if (const auto type = call.text("type"); type && *type != "function")
    throw ApiError(
        400, field + ".type", "unsupported_parameter",
        fmt::format("{}.type: only \"function\" is supported, found \"{}\"", field, type->substr(0, 60)));
  call.require("function");
  JsonFields function(*call.object("function"), field + ".function", RequestObject::history);
  ToolCall result;
  result.id = call.text("id").value_or("");
  result.name = function.required_text("name");
  if (result.name.empty()) refuse(field, "{}.function.name: expected a name, found an empty text", field);
  const Json* arguments = function.find("arguments");
  if (arguments == nullptr) {
    result.arguments = "{}";
  } else {
    result.arguments = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
  }
  // A call without arguments has an empty text for them at some servers.
  if (result.arguments.empty()) result.arguments = "{}";
  return result;
}

}  // namespace

void append_part(std::string& text, std::string_view part) {
  if (!text.empty() && !part.empty()) text += '\n';
  text += part;
}

std::optional<std::string> read_content(const Json* content, const std::string& field,
                                        std::optional<std::string>* reasoning) {
  if (content == nullptr || content->is_null()) return std::nullopt;
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array())
    refuse(field, "{}: expected a text or a list of parts, found {}", field, content->type_name());
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    const Json& value = (*content)[i];
    if (value.is_string()) {
      append_part(text, value.get_ref<const std::string&>());
      continue;
    }
    const std::string here = fmt::format("{}[{}]", field, i);
    JsonFields part(value, here, RequestObject::history);
    const std::string type = part.required_text("type");
    if (is_text_part(type)) {
      append_part(text, part.required_text("text"));
    } else if (type == "refusal") {
      append_part(text, part.required_text("refusal"));
    } else if (is_thinking_part(type) && reasoning != nullptr) {
      if (const Json* thought = part.find(type == "thinking" ? "thinking" : "text");
          thought != nullptr && thought->is_string()) {
        if (!*reasoning) reasoning->emplace();
        append_part(**reasoning, thought->get_ref<const std::string&>());
      }
    } else {
      throw ApiError(400, here, "unsupported_content",
                     fmt::format("{}: a part of type \"{}\": only text is read", here, type.substr(0, 60)));
    }
    part.refuse_unknown();
  }
  return text;
}

ChatMessage read_message(const Json& entry, const std::string& field, bool& prefix) {
  JsonFields fields(entry, field, RequestObject::history);
  fields.require("role");
  ChatMessage message;
  message.role = *fields.choice("role", {"system", "developer", "user", "assistant", "tool", "function"});
  if (message.role == "function")
    throw ApiError(400, field + ".role", "unsupported_parameter",
                   fmt::format("{}.role: not supported: functions are called tools here", field));
  const bool answers = message.role == "assistant";
  if (message.role == "developer") message.role = "system";
  std::optional<std::string> thought;
  message.content = read_content(fields.find("content"), field + ".content", answers ? &thought : nullptr);
  for (const char* name : {"reasoning_content", "reasoning"}) {
    const Json* given = fields.find(name);
    if (given == nullptr || !answers) continue;
    // OpenRouter's and others' `reasoning` may be an object; the thinking of earlier answers is not shown anyway.
    if (given->is_string() && !message.reasoning_content)
      message.reasoning_content = given->get<std::string>();
    if (!given->is_string() && std::string_view(name) == "reasoning_content")
      refuse(field + "." + name, "{}.{}: expected a text, found {}", field, name, given->type_name());
  }
  if (!message.reasoning_content) message.reasoning_content = std::move(thought);
  message.name = fields.text("name").value_or("");
  message.tool_call_id = fields.text("tool_call_id").value_or("");
  if (const Json* calls = fields.array("tool_calls")) {
    for (size_t i = 0; i < calls->size(); ++i)
      message.tool_calls.push_back(read_call((*calls)[i], fmt::format("{}.tool_calls[{}]", field, i)));
  }
  if (!message.tool_calls.empty() && !answers)
    refuse(field, "{}.tool_calls: only a message of role \"assistant\" has calls", field);
  prefix = fields.boolean("prefix").value_or(false);
  fields.refuse_unknown();
  if (message.content || !message.tool_calls.empty()) return message;
  if (!answers && message.role != "tool")
    throw ApiError(400, field + ".content", "missing_required_parameter",
                   fmt::format("{}.content: is missing in a message of role \"{}\"", field, message.role));
  message.content = "";
  return message;
}

void order_tool_results(std::vector<ChatMessage>& messages, const std::string& field) {
  std::set<std::string> known;  // ids of all calls up to here
  bool all_known = true;        // every call had one
  for (size_t at = 0; at < messages.size(); ++at) {
    const std::vector<ToolCall>& calls = messages[at].tool_calls;
    std::set<std::string_view> ids;
    for (const ToolCall& call : calls) {
      if (!call.id.empty()) ids.insert(call.id);
      all_known &= !call.id.empty();
      known.insert(call.id);
    }
    if (messages[at].role == "tool" && all_known && !messages[at].tool_call_id.empty() &&
        !known.contains(messages[at].tool_call_id))
      refuse(field, "{}: a tool's result has tool_call_id \"{}\", which none of the calls before it has",
             field, messages[at].tool_call_id.substr(0, 80));
    size_t end = at + 1;
    while (end < messages.size() && messages[end].role == "tool") ++end;
    const auto first = messages.begin() + static_cast<std::ptrdiff_t>(at) + 1,
               last = messages.begin() + static_cast<std::ptrdiff_t>(end);
    const bool told_apart =
        !calls.empty() && ids.size() == calls.size() &&
        std::all_of(first, last, [](const auto& one) { return !one.tool_call_id.empty(); });
    if (!told_apart) continue;
    std::vector<ChatMessage> ordered(calls.size());
    const auto results = static_cast<size_t>(last - first);
    for (auto result = first; result != last; ++result) {
      const auto call = std::ranges::find(calls, result->tool_call_id, &ToolCall::id);
      if (call == calls.end())
        refuse(field, "{}: a tool's result has tool_call_id \"{}\", which none of the calls before it has",
               field, result->tool_call_id.substr(0, 80));
      ChatMessage& place = ordered[static_cast<size_t>(call - calls.begin())];
      if (!place.role.empty())
        refuse(field, "{}: the call \"{}\" has two results", field, call->id.substr(0, 80));
      place = *result;
    }
    for (size_t i = 0; i < results; ++i) {
      if (ordered[i].role.empty())
        refuse(field, "{}: the call \"{}\" has no result, but a later one has", field,
               calls[i].id.substr(0, 80));
    }
    std::move(ordered.begin(), ordered.begin() + static_cast<std::ptrdiff_t>(results), first);
    at = end - 1;
  }
}

}  // namespace r1::server
