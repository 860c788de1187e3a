#include "server/api/response_input.h"

#include <algorithm>

#include "server/api/chat_messages.h"
#include "server/api/json_fields.h"

namespace r1::server {
namespace {

/// Fields that both APIs, or this server's sampling, have under the same name.
constexpr const char* kSameName[] = {"model",
                                     "temperature",
                                     "top_p",
                                     "top_k",
                                     "min_p",
                                     "typical_p",
                                     "stream",
                                     "seed",
                                     "stop",
                                     "presence_penalty",
                                     "repeat_last_n",
                                     "logit_bias",
                                     "loop_detection",
                                     "frequency_penalty",
                                     "repetition_penalty",
                                     "parallel_tool_calls",
                                     "priority",
                                     "ignore_eos",
                                     "thinking",
                                     "enable_thinking",
                                     "thinking_budget",
                                     "answer_reserve",
                                     "chat_template_kwargs",
                                     "dry_multiplier",
                                     "dry_base",
                                     "dry_allowed_length",
                                     "dry_penalty_last_n",
                                     "stop_token_ids",
                                     "include_stop_str_in_output",
                                     "skip_special_tokens"};

/// Tools that OpenAI's servers run, or that are no functions (with versions behind the names): the model is not told of
/// them.
constexpr std::string_view kOtherTools[] = {"web_search",
                                            "file_search",
                                            "code_interpreter",
                                            "computer",
                                            "image_generation",
                                            "mcp",
                                            "local_shell",
                                            "shell",
                                            "apply_patch",
                                            "custom",
                                            "namespace",
                                            "tool_search",
                                            "programmatic_tool_calling"};

/// What `include` may ask for: parts of items that never occur here, and thinking, which is never encrypted.
constexpr std::string_view kIncluded[] = {
    "reasoning.encrypted_content",   "file_search_call.results",
    "web_search_call.results",       "web_search_call.action.sources",
    "code_interpreter_call.outputs", "computer_call_output.output.image_url",
    "message.input_image.image_url"};

std::string read_text(const Json* content, const std::string& where) {
  return read_content(content, where, nullptr).value_or("");
}

/// A call is part of the answer that it ends: of the message before it, as the model wrote them.
void add_call(ToolCall call, std::vector<ChatMessage>& messages) {
  if (messages.empty() || messages.back().role != "assistant") {
    ChatMessage message;
    message.role = "assistant";
    messages.push_back(std::move(message));
  }
  messages.back().tool_calls.push_back(std::move(call));
}

void add_result(JsonFields& item, const std::string& where, std::vector<ChatMessage>& messages) {
  ChatMessage result;
  result.role = "tool";
  result.tool_call_id = item.required_text("call_id");
  item.require("output");
  result.content = read_text(item.find("output"), where + ".output");
  messages.push_back(std::move(result));
}

void add_item(const Json& value, const std::string& where, const FindItem& find_item,
              std::vector<ChatMessage>& messages) {
  JsonFields item(value, where, RequestObject::response_item);
  // A reference may come without its type.
  const bool bare = item.has("id") && !item.has("role") && !item.has("type");
  const std::string type = item.text("type").value_or(bare ? "item_reference" : "message");
  if (type == "message") {
    ChatMessage message;
    item.require("role");
    message.role = *item.choice("role", {"system", "developer", "user", "assistant"});
    if (message.role == "developer") message.role = "system";
    if (message.role != "assistant") item.require("content");
    std::optional<std::string> thought;
    message.content = read_content(item.find("content"), where + ".content",
                                   message.role == "assistant" ? &thought : nullptr)
                          .value_or("");
    messages.push_back(std::move(message));
  } else if (type == "function_call") {
    add_call({item.required_text("call_id"), item.required_text("name"), item.required_text("arguments")},
             messages);
  } else if (type == "custom_tool_call") {
    add_call({item.required_text("call_id"), item.required_text("name"),
              Json{{"input", item.required_text("input")}}.dump()},
             messages);
  } else if (type == "function_call_output" || type == "custom_tool_call_output") {
    item.text("name");
    add_result(item, where, messages);
  } else if (type == "item_reference") {
    const std::string id = item.required_text("id");
    item.refuse_unknown();
    if (id.starts_with("rs_")) return;  // thinking
    const Json kept = find_item(id);
    if (kept.is_null())
      throw ApiError(
          400, where + ".id", "item_not_found",
          fmt::format("{}: there is no item \"{}\": items are kept for a short time only; send the item "
                      "itself",
                      where, id.substr(0, 80)));
    return add_item(kept, where, find_item, messages);
  } else if (type == "reasoning") {
    return;  // earlier thinking is not shown again
  } else {
    throw ApiError(400, where + ".type", "unsupported_content",
                   fmt::format("{}: items of type \"{}\" are not supported", where, type.substr(0, 60)));
  }
  item.refuse_unknown();
}

/// The functions among the tools, in the form of chats, and as they were given.
Json chat_tools(const Json& tools, Json& taken) {
  Json result = Json::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    JsonFields tool(tools[i], where, RequestObject::tool);
    const std::string type = tool.required_text("type");
    if (type != "function") {
      if (std::ranges::any_of(kOtherTools, [&](std::string_view other) { return type.starts_with(other); }))
        continue;
      throw ApiError(400, where + ".type", "unsupported_parameter",
                     fmt::format("{}.type: expected \"function\", found \"{}\"", where, type.substr(0, 60)));
    }
    Json function = {{"name", tool.required_text("name")}};
    if (const auto text = tool.text("description")) function["description"] = *text;
    if (const Json* schema = tool.object("parameters")) function["parameters"] = *schema;
    if (const auto strict = tool.boolean("strict")) function["strict"] = *strict;
    tool.refuse_unknown();
    result.push_back({{"type", "function"}, {"function", std::move(function)}});
    taken.push_back(tools[i]);
  }
  return result;
}

Json chat_tool_choice(const Json& choice) {
  if (!choice.is_object()) return choice;
  JsonFields fields(choice, "tool_choice");
  if (fields.required_text("type") != "function")
    refuse("tool_choice", "tool_choice: expected a word or a function's name");
  Json result = {{"type", "function"}, {"function", {{"name", fields.required_text("name")}}}};
  fields.refuse_unknown();
  return result;
}

/// text.format, whose schema is not nested.
Json chat_format(const Json& format) {
  JsonFields fields(format, "text.format", RequestObject::schema_format);
  fields.require("type");
  const std::string type = *fields.choice("type", {"text", "json_object", "json_schema"});
  Json result = {{"type", type}};
  if (type == "json_schema") result["json_schema"]["schema"] = fields.require("schema");
  fields.refuse_unknown();
  return result;
}

void check_include(JsonFields& fields) {
  const Json* include = fields.array("include");
  if (include == nullptr) return;
  for (const Json& one : *include) {
    if (!one.is_string() ||
        std::ranges::find(kIncluded, one.get_ref<const std::string&>()) == std::end(kIncluded))
      refuse("include", "include: {} is not supported", one.dump().substr(0, 80));
  }
}

}  // namespace

ResponseRequest read_response_request(const Json& body, const FindItem& find_item) {
  JsonFields fields(body, "", RequestObject::response);
  ResponseRequest request;
  Json& chat = request.chat = Json::object();
  Json& echo = request.echo;
  echo = {{"instructions", nullptr}, {"max_output_tokens", nullptr}, {"metadata", Json::object()}};
  check_include(fields);
  request.keep_items = body.value("store", Json()) != false;
  if (const Json* metadata = fields.find("metadata")) echo["metadata"] = *metadata;
  for (const char* name : kSameName) {
    if (const Json* value = fields.find(name)) chat[name] = *value;
  }
  if (const auto text = fields.text("instructions")) {
    ChatMessage message;
    message.role = "system";
    message.content = *text;
    request.messages.push_back(std::move(message));
    echo["instructions"] = *text;
  }
  const Json& input = fields.require("input");
  if (input.is_array()) {
    for (size_t i = 0; i < input.size(); ++i)
      add_item(input[i], fmt::format("input[{}]", i), find_item, request.messages);
  } else if (input.is_string()) {
    ChatMessage message;
    message.role = "user";
    message.content = input.get<std::string>();
    request.messages.push_back(std::move(message));
  } else {
    refuse("input", "input: expected a text or a list of items, found {}", input.type_name());
  }
  if (request.messages.empty()) refuse("input", "input: expected at least one message");
  if (const auto limit = fields.integer("max_output_tokens", 1, int64_t{1} << 40)) {
    chat["max_completion_tokens"] = *limit;
    echo["max_output_tokens"] = *limit;
  }
  echo["reasoning"] = {{"effort", nullptr}, {"summary", nullptr}};
  if (const Json* reasoning = fields.object("reasoning")) {
    JsonFields inner(*reasoning, "reasoning", RequestObject::reasoning);
    if (const auto effort = inner.text("effort"))
      chat["reasoning_effort"] = echo["reasoning"]["effort"] = *effort;
    inner.refuse_unknown();
  }
  echo["text"] = {{"format", {{"type", "text"}}}};
  if (const Json* text = fields.object("text")) {
    JsonFields inner(*text, "text", RequestObject::response_text);
    if (const Json* format = inner.object("format")) {
      chat["response_format"] = chat_format(*format);
      echo["text"]["format"] = *format;
    }
    inner.refuse_unknown();
  }
  echo["tools"] = Json::array();
  if (const Json* tools = fields.array("tools")) chat["tools"] = chat_tools(*tools, echo["tools"]);
  echo["tool_choice"] = "auto";
  if (const Json* choice = fields.find("tool_choice")) {
    chat["tool_choice"] = chat_tool_choice(*choice);
    echo["tool_choice"] = *choice;
  }
  echo["parallel_tool_calls"] = chat.value("parallel_tool_calls", Json(true));
  if (const Json* options = fields.object("stream_options"))
    JsonFields(*options, "stream_options", RequestObject::stream_options).refuse_unknown();
  fields.refuse_unknown();
  return request;
}

}  // namespace r1::server
