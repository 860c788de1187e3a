#include "server/api/response_input.h"

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
                                     "skip_special_tokens"};

std::string text_of_content(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array())
    refuse(where, "{}: expected a text or a list, found {}", where, content.type_name());
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string here = fmt::format("{}[{}]", where, i);
    JsonFields part(content[i], here);
    const std::string type = part.required_text("type");
    if (type != "input_text" && type != "output_text" && type != "text" && type != "refusal")
      throw ApiError(400, here, "unsupported_content",
                     fmt::format("{}: only text is read here, found \"{}\"", here, type.substr(0, 60)));
    part.accept_and_ignore({"annotations", "logprobs"});
    text += part.required_text(type == "refusal" ? "refusal" : "text");
    part.refuse_unknown();
  }
  return text;
}

Json call_of(JsonFields& item) {
  item.accept_and_ignore({"id", "status"});
  return {
      {"id", item.required_text("call_id")},
      {"type", "function"},
      {"function", {{"name", item.required_text("name")}, {"arguments", item.required_text("arguments")}}}};
}

void add_item(const Json& value, const std::string& where, Json& messages) {
  JsonFields item(value, where);
  const std::string type = item.text("type").value_or("message");
  if (type == "message") {
    item.accept_and_ignore({"id", "status"});
    const std::string role = item.required_text("role");
    messages.push_back(
        {{"role", role}, {"content", text_of_content(item.require("content"), where + ".content")}});
  } else if (type == "function_call") {
    Json call = call_of(item);
    // Calls that follow each other are one message's.
    if (!messages.empty() && messages.back().contains("tool_calls")) {
      messages.back()["tool_calls"].push_back(std::move(call));
    } else {
      messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array({call})}});
    }
  } else if (type == "function_call_output") {
    item.accept_and_ignore({"id", "status"});
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", item.required_text("call_id")},
                        {"content", text_of_content(item.require("output"), where + ".output")}});
  } else if (type == "reasoning") {
    return;  // earlier thinking is not shown again
  } else {
    throw ApiError(400, where + ".type", "unsupported_content",
                   fmt::format("{}: items of type \"{}\" are not supported", where, type.substr(0, 60)));
  }
  item.refuse_unknown();
}

Json chat_tools(const Json& tools) {
  Json result = Json::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    JsonFields tool(tools[i], where);
    if (const std::string type = tool.required_text("type"); type != "function")
      throw ApiError(400, where + ".type", "unsupported_parameter",
                     fmt::format("{}: only functions, found \"{}\"", where, type.substr(0, 60)));
    Json function = {{"name", tool.required_text("name")}};
    if (const auto text = tool.text("description")) function["description"] = *text;
    if (const Json* schema = tool.object("parameters")) function["parameters"] = *schema;
    if (const auto strict = tool.boolean("strict")) function["strict"] = *strict;
    tool.refuse_unknown();
    result.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return result;
}

Json chat_tool_choice(const Json& choice) {
  if (choice.is_string()) return choice;
  JsonFields fields(choice, "tool_choice");
  if (fields.required_text("type") != "function")
    refuse("tool_choice", "tool_choice: expected a word or a function's name");
  Json result = {{"type", "function"}, {"function", {{"name", fields.required_text("name")}}}};
  fields.refuse_unknown();
  return result;
}

/// text.format, whose schema lies flat.
Json chat_format(const Json& format) {
  JsonFields fields(format, "text.format");
  const std::string type = fields.required_text("type");
  if (type != "json_schema") return format;
  Json schema = {{"schema", fields.require("schema")}};
  if (const auto name = fields.text("name")) schema["name"] = *name;
  fields.accept_and_ignore({"description", "strict"});
  fields.refuse_unknown();
  return {{"type", "json_schema"}, {"json_schema", std::move(schema)}};
}

void refuse_what_is_stored(JsonFields& fields) {
  fields.refuse_field("previous_response_id", "nothing is stored here: send the conversation as input");
  fields.refuse_field("conversation", "nothing is stored here: send the conversation as input");
  fields.refuse_field("prompt", "there are no stored prompts");
  if (fields.boolean("store").value_or(false)) fields.refuse_field("store", "nothing is stored here");
  if (fields.boolean("background").value_or(false))
    fields.refuse_field("background", "nothing is stored here");
  if (fields.choice("truncation", {"auto", "disabled"}).value_or("disabled") == "auto")
    fields.refuse_field("truncation", "nothing is ever cut here");
  if (const Json* include = fields.array("include")) {
    for (const Json& one : *include) {
      // Thinking is never encrypted: it is in the response as it is.
      if (one != "reasoning.encrypted_content")
        refuse("include", "include: {} is not supported", one.dump().substr(0, 80));
    }
  }
  fields.refuse_field("max_tool_calls", "there are no built-in tools");
  fields.refuse_field("top_logprobs", "log-probabilities are given by /v1/chat/completions");
  fields.choice("service_tier", {"auto", "default"});
  fields.accept_and_ignore(
      {"metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
}

}  // namespace

ResponseRequest read_response_request(const Json& body) {
  JsonFields fields(body);
  Json chat = Json::object(), messages = Json::array();
  Json echo = {{"instructions", nullptr}, {"max_output_tokens", nullptr}, {"metadata", Json::object()}};
  refuse_what_is_stored(fields);
  if (const Json* metadata = fields.find("metadata")) echo["metadata"] = *metadata;
  for (const char* name : kSameName) {
    if (const Json* value = fields.find(name)) chat[name] = *value;
  }
  if (const auto text = fields.text("instructions")) {
    messages.push_back({{"role", "system"}, {"content", *text}});
    echo["instructions"] = *text;
  }
  const Json& input = fields.require("input");
  if (input.is_array()) {
    for (size_t i = 0; i < input.size(); ++i) add_item(input[i], fmt::format("input[{}]", i), messages);
  } else {
    messages.push_back({{"role", "user"}, {"content", text_of_content(input, "input")}});
  }
  chat["messages"] = std::move(messages);
  if (const auto most = fields.integer("max_output_tokens", 1, int64_t{1} << 40)) {
    chat["max_completion_tokens"] = *most;
    echo["max_output_tokens"] = *most;
  }
  echo["reasoning"] = {{"effort", nullptr}, {"summary", nullptr}};
  if (const Json* reasoning = fields.object("reasoning")) {
    JsonFields inner(*reasoning, "reasoning");
    if (const auto effort = inner.text("effort"))
      chat["reasoning_effort"] = echo["reasoning"]["effort"] = *effort;
    inner.accept_and_ignore({"summary", "generate_summary"});  // the thinking itself is in the response
    inner.refuse_unknown();
  }
  echo["text"] = {{"format", {{"type", "text"}}}};
  if (const Json* text = fields.object("text")) {
    JsonFields inner(*text, "text");
    if (const Json* format = inner.object("format")) {
      chat["response_format"] = chat_format(*format);
      echo["text"]["format"] = *format;
    }
    inner.refuse_field("verbosity", "the model knows no verbosity");
    inner.refuse_unknown();
  }
  echo["tools"] = Json::array();
  if (const Json* tools = fields.array("tools")) {
    if (!tools->empty()) chat["tools"] = chat_tools(*tools);
    echo["tools"] = *tools;
  }
  echo["tool_choice"] = "auto";
  if (const Json* choice = fields.find("tool_choice")) {
    if (chat.contains("tools")) chat["tool_choice"] = chat_tool_choice(*choice);
    echo["tool_choice"] = *choice;
  }
  if (!chat.contains("tools")) chat.erase("parallel_tool_calls");
  echo["parallel_tool_calls"] = body.value("parallel_tool_calls", Json(true));
  if (const Json* options = fields.object("stream_options")) {
    JsonFields inner(*options, "stream_options");
    inner.accept_and_ignore({"include_obfuscation"});
    inner.refuse_unknown();
  }
  fields.refuse_unknown();
  return {std::move(chat), std::move(echo)};
}

}  // namespace r1::server
