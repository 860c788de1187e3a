#include "server/api/anthropic_messages.h"

#include "base/json_text.h"
#include "server/api/chat_messages.h"
#include "server/api/chat_prompt.h"
#include "server/api/generation_fields.h"
#include "server/api/tool_fields.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

std::string read_text(const Json& content, const std::string& field) {
  if (!content.is_string() && !content.is_array())
    refuse(field, "{}: expected a text or a list of blocks, found {}", field, content.type_name());
  return *read_content(&content, field, nullptr);
}

ChatMessage read_tool_result(JsonFields& block, const std::string& field) {
  ChatMessage result;
  result.role = "tool";
  result.tool_call_id = block.required_text("tool_use_id");
  const Json* content = block.find("content");
  result.content = content == nullptr ? "" : read_text(*content, field + ".content");
  if (block.boolean("is_error").value_or(false)) result.content = "Error: " + *result.content;
  return result;
}

/// A message of Anthropic's form as one or more of OpenAI's: tool results are messages of their own there.
void read_anthropic_message(const Json& entry, const std::string& field, std::vector<ChatMessage>& messages) {
  JsonFields fields(entry, field, RequestObject::history);
  fields.require("role");
  ChatMessage message;
  message.role = *fields.choice("role", {"user", "assistant", "system"});
  const Json* content = fields.find("content");
  fields.refuse_unknown();
  if (content == nullptr && message.role != "assistant") fields.require("content");
  if (content == nullptr || content->is_string() || message.role == "system") {
    message.content = content == nullptr ? "" : read_text(*content, field + ".content");
    messages.push_back(std::move(message));
    return;
  }
  if (!content->is_array()) refuse(field, "{}.content: expected a text or a list of blocks", field);
  std::string text;
  bool has_text = content->empty() && message.role == "assistant";
  for (size_t index = 0; index < content->size(); ++index) {
    const std::string here = fmt::format("{}.content[{}]", field, index);
    JsonFields block((*content)[index], here, RequestObject::history);
    const std::string type = block.required_text("type");
    if (type == "text") {
      append_part(text, block.required_text("text"));
      has_text = true;
    } else if (type == "thinking" && message.role == "assistant") {
      message.reasoning_content = message.reasoning_content.value_or("") + block.required_text("thinking");
    } else if (type == "redacted_thinking" && message.role == "assistant") {
      continue;
    } else if (type == "tool_use" && message.role == "assistant") {
      block.require("input");
      message.tool_calls.push_back(
          {block.required_text("id"), block.required_text("name"), block.object("input")->dump()});
    } else if (type == "tool_result" && message.role == "user") {
      messages.push_back(read_tool_result(block, here));
    } else {
      throw ApiError(400, here, "unsupported_content",
                     fmt::format("{}: a block of type \"{}\" is not supported in a message of role \"{}\"",
                                 here, type.substr(0, 60), message.role));
    }
    block.refuse_unknown();
  }
  if (has_text || !message.tool_calls.empty() || message.reasoning_content) {
    if (has_text || message.tool_calls.empty()) message.content = text;
    messages.push_back(std::move(message));
  }
}

Json read_anthropic_tools(const Json& tools) {
  Json result = Json::array();
  for (size_t index = 0; index < tools.size(); ++index) {
    const std::string field = fmt::format("tools[{}]", index);
    JsonFields tool(tools[index], field, RequestObject::tool);
    if (const auto type = tool.text("type"); type && *type != "custom")
      throw ApiError(
          400, field + ".type", "unsupported_parameter",
          fmt::format("{}.type: only \"custom\" is supported, found \"{}\"", field, type->substr(0, 60)));
    result.push_back(read_function(tool, tools[index], "input_schema"));
  }
  check_tool_names(result);
  return result;
}

/// output_config, and output_format as earlier versions of the API have it: the answer's schema to `schema` and the
/// effort to `effort`.
void read_output_config(JsonFields& fields, const Json*& schema, std::string& schema_field,
                        std::string& effort) {
  const auto read_format = [&](const Json& format, const std::string& field) {
    JsonFields inner(format, field, RequestObject::schema_format);
    inner.require("type");
    inner.choice("type", {"json_schema"});
    if (schema != nullptr) refuse(field, "{}: more than one constraint on the answer", field);
    schema = &inner.require("schema");
    schema_field = field + ".schema";
    inner.refuse_unknown();
  };
  if (const Json* config = fields.object("output_config")) {
    JsonFields inner(*config, "output_config", RequestObject::output_config);
    effort = inner.choice("effort", {"low", "medium", "high", "xhigh", "max"}).value_or("");
    if (const Json* format = inner.object("format")) read_format(*format, "output_config.format");
    inner.refuse_unknown();
  }
  if (const Json* format = fields.object("output_format")) read_format(*format, "output_format");
}

/// A thread is a conversation that the server keeps; here none is. The request that begins one has the whole
/// conversation. The details are what Anthropic's SDK wants to hear before it sends the whole conversation again.
void read_thread(JsonFields& fields) {
  const Json* thread = fields.find("thread");
  if (thread == nullptr || *thread == false) return;
  JsonFields inner(*fields.object("thread"), "thread");
  inner.require("type");
  const bool begins = *inner.choice("type", {"create", "continue"}) == "create";
  if (!begins) inner.text("previous_message_id");
  inner.refuse_unknown();
  if (begins) return;
  ApiError error(404, "thread", "thread_not_found",
                 "thread: not found: nothing is stored here; send the whole conversation");
  error.extra["details"] = {{"error_code", "thread_not_found"}};
  throw error;
}

/// Whether the thinking is to be in the response.
bool shows_thinking(JsonFields& fields) {
  const Json* thinking = fields.object("thinking");
  if (thinking == nullptr) return true;
  return JsonFields(*thinking, "thinking").choice("display", {"summarized", "omitted", "updates"}) !=
         "omitted";
}

/// What both paths read.
void read_prompt_fields(const ServedModel& model, JsonFields& fields, ChatPromptRequest& chat,
                        ToolRequest& tools) {
  fields.require("messages");
  const Json& list = *fields.array("messages");
  if (list.empty()) refuse("messages", "messages: expected at least one");
  if (const Json* system = fields.find("system")) {
    ChatMessage message;
    message.role = "system";
    message.content = read_text(*system, "system");
    chat.messages.push_back(std::move(message));
  }
  for (size_t index = 0; index < list.size(); ++index)
    read_anthropic_message(list[index], fmt::format("messages[{}]", index), chat.messages);
  if (chat.messages.empty()) refuse("messages", "messages: expected content");
  chat.continue_last = chat.messages.back().role == "assistant" && chat.messages.back().tool_calls.empty();
  chat.thinking = read_thinking(fields, chat.template_variables);
  const Json* schema = nullptr;
  std::string schema_field, effort;
  read_output_config(fields, schema, schema_field, effort);
  if (schema != nullptr) tools.constraint = schema_constraint(model, *schema, schema_field);
  if (chat.thinking.on.value_or(true)) limit_thinking(effort, chat.thinking);

  const Json* given = fields.array("tools");
  std::string type = "auto", name;
  if (const Json* choice = fields.object("tool_choice")) {
    JsonFields inner(*choice, "tool_choice");
    inner.require("type");
    type = *inner.choice("type", {"auto", "any", "tool", "none"});
    tools.parallel = !inner.boolean("disable_parallel_tool_use").value_or(false);
    if (type == "tool") name = inner.required_text("name");
    inner.refuse_unknown();
  }
  if (given == nullptr || given->empty()) {
    if (type != "none" && type != "auto") refuse("tool_choice", "tool_choice: there are no tools");
    return;
  }
  Json shown = read_anthropic_tools(*given);
  if (type == "none") return;
  if (type != "auto" && schema != nullptr)
    refuse("tool_choice", "tool_choice: a required call beside another form of the answer");
  if (type != "auto") tools.constraint = require_call(model, shown, name, tools.parallel && name.empty());
  tools.look_for_calls = true;
  tools.shown = std::move(shown);
  chat.tools = tools.shown;
}

std::string_view anthropic_stop_reason(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::length:
      return "max_tokens";
    case AnswerEnd::stop_string:
      return "stop_sequence";
    case AnswerEnd::tool_calls:
      return "tool_use";
    default:
      return "end_turn";
  }
}

Json call_input(const ToolCall& call) {
  Json input = parse_json_or_discard<Json>(call.arguments);
  return input.is_object() ? input : Json::object();
}

Json usage_of(const CompletionUsage& usage) {
  return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached_tokens},
          {"output_tokens", usage.completion_tokens}};
}

Json empty_message(const std::string& id, const std::string& model) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

/// Content blocks as they come: one is open at a time.
class MessageStream : public CompletionObserver {
 public:
  MessageStream(std::string id, std::string model, int64_t prompt_tokens, bool show_thinking,
                std::shared_ptr<SseStream> stream, std::string request_id)
      : id_(std::move(id)),
        model_(std::move(model)),
        prompt_tokens_(prompt_tokens),
        show_thinking_(show_thinking),
        stream_(std::move(stream)),
        request_id_(std::move(request_id)) {}

  void on_start() override {
    stream_->begin({}, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
    Json message = empty_message(id_, model_);
    message["usage"] = {{"input_tokens", prompt_tokens_},
                        {"cache_creation_input_tokens", 0},
                        {"cache_read_input_tokens", 0},
                        {"output_tokens", 0}};
    send("message_start", {{"message", std::move(message)}});
  }

  bool on_delta(int64_t, CompletionDelta delta) override {
    bool alive = true;
    if (!delta.reasoning.empty() && show_thinking_) {
      open("thinking", {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
      alive = send_delta({{"type", "thinking_delta"}, {"thinking", std::move(delta.reasoning)}});
    }
    if (!delta.content.empty()) {
      open("text", {{"type", "text"}, {"text", ""}});
      alive = send_delta({{"type", "text_delta"}, {"text", std::move(delta.content)}});
    }
    for (const ToolCall& call : delta.calls) {
      close();
      open("tool_use",
           {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", Json::object()}});
      alive = send_delta({{"type", "input_json_delta"}, {"partial_json", call.arguments}});
      close();
    }
    return alive;
  }

  void on_choice_end(int64_t, const ChoiceResult& result) override { result_ = result; }

  void on_end(const CompletionUsage& usage) override {
    if (has_failed(result_.end)) {
      stream_->send(anthropic_error_response(generation_error(result_), request_id_).body, "error");
    } else {
      close();
      const Json sequence = result_.stop_string.empty() ? Json() : Json(result_.stop_string);
      send("message_delta",
           {{"delta", {{"stop_reason", anthropic_stop_reason(result_.end)}, {"stop_sequence", sequence}}},
            {"usage", usage_of(usage)}});
      send("message_stop", Json::object());
    }
    stream_->end();
  }

  void on_out_of_memory() noexcept override {
    stream_->end_with(R"({"type":"error","error":{"type":"api_error","message":"out of memory"}})", "error");
  }

 private:
  bool send(const std::string& type, const Json& fields) {
    Json event = {{"type", type}};
    event.update(fields);
    return stream_->send(to_text(event), type);
  }
  bool send_delta(Json delta) {
    return send("content_block_delta", {{"index", index_}, {"delta", std::move(delta)}});
  }
  void open(const std::string& kind, Json block) {
    if (open_ == kind) return;
    close();
    open_ = kind;
    send("content_block_start", {{"index", index_}, {"content_block", std::move(block)}});
  }
  void close() {
    if (open_.empty()) return;
    if (open_ == "thinking") send_delta({{"type", "signature_delta"}, {"signature", ""}});
    send("content_block_stop", {{"index", index_}});
    open_.clear();
    ++index_;
  }

  std::string id_, model_;
  int64_t prompt_tokens_;
  bool show_thinking_;
  std::shared_ptr<SseStream> stream_;
  std::string request_id_;
  std::string open_;  // the kind of the open block; empty: none
  int64_t index_ = 0;
  ChoiceResult result_;
};

HttpResponse whole_message(const std::string& id, const std::string& model, CollectedChoice choice,
                           const CompletionUsage& usage, const std::string& request_id) {
  if (has_failed(choice.result.end))
    return anthropic_error_response(generation_error(choice.result), request_id);
  Json message = empty_message(id, model);
  Json& content = message["content"];
  if (!choice.all.reasoning.empty())
    content.push_back({{"type", "thinking"}, {"thinking", choice.all.reasoning}, {"signature", ""}});
  if (!choice.all.content.empty()) content.push_back({{"type", "text"}, {"text", choice.all.content}});
  for (const ToolCall& call : choice.all.calls)
    content.push_back(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", call_input(call)}});
  message["stop_reason"] = anthropic_stop_reason(choice.result.end);
  if (!choice.result.stop_string.empty()) message["stop_sequence"] = choice.result.stop_string;
  message["usage"] = usage_of(usage);
  return HttpResponse::json(200, to_text(message));
}

void create_message(ServerContext& context, const HttpRequest& request,
                    const std::shared_ptr<ResponseSink>& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::messages);
  CompletionSpec spec;
  choose_model(context.models, fields.text("model").value_or(""), spec);
  read_thread(
      fields);  // first: a request that continues a thread has neither the tools nor the whole conversation
  ChatPromptRequest chat;
  chat.adapter = spec.adapter;
  ToolRequest tools;
  read_prompt_fields(*spec.model, fields, chat, tools);
  fields.require("max_tokens");
  read_generation_fields(fields, spec, ApiFamily::anthropic);
  const bool stream = fields.boolean("stream").value_or(false);
  const bool show_thinking = shows_thinking(fields);
  fields.refuse_unknown();
  spec.tool_calls = tools.look_for_calls;
  spec.single_call = !tools.parallel;
  spec.constraint = tools.constraint;
  spec.ticket = context.limiter.admit(request.key_name);
  apply_chat_prompt(build_chat_prompt(*spec.model, chat), chat.thinking, spec);

  const std::string id = random_id("msg_"), model = spec.model_name;
  ModelMetrics& metrics = context.metrics.of_model(model);
  std::shared_ptr<SseStream> sse;
  std::shared_ptr<CompletionObserver> observer;
  if (stream) {
    sse = std::make_shared<SseStream>(sink, false);
    observer =
        std::make_shared<MessageStream>(id, model, std::ssize(spec.prompt), show_thinking, sse, request.id);
  } else {
    observer = std::make_shared<CompletionCollector>(
        1, [sink, id, model, show_thinking, request_id = request.id](std::vector<CollectedChoice> choices,
                                                                     const CompletionUsage& usage) {
          if (!show_thinking) choices[0].all.reasoning.clear();
          sink->respond(whole_message(id, model, std::move(choices[0]), usage, request_id));
        });
  }
  const auto job = start_completion(std::move(spec), std::move(observer), metrics, "messages");
  context.jobs.add(id, request.key_name, job, sse, *sink);
}

void count_tokens(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::messages);
  const auto [model, adapter, name] = context.models.choose(fields.text("model").value_or(""));
  ChatPromptRequest chat;
  chat.adapter = adapter;
  ToolRequest tools;
  read_prompt_fields(*model, fields, chat, tools);
  fields.refuse_unknown();
  sink.respond(
      HttpResponse::json(200, to_text({{"input_tokens", build_chat_prompt(*model, chat).tokens.size()}})));
}

}  // namespace

bool is_anthropic_path(std::string_view path) {
  return path.starts_with("/v1/messages") || path.starts_with("/messages");
}

HttpResponse anthropic_error_response(const ApiError& error, const std::string& request_id) {
  const std::string type =
      error.status >= 500 && error.status != 503 ? "api_error" : error_type(error.status);
  Json fields = {{"type", type}, {"message", error.what()}};
  fields.update(error.extra);
  HttpResponse response = HttpResponse::json(
      error.status, to_text({{"type", "error"}, {"error", std::move(fields)}, {"request_id", request_id}}));
  response.headers.insert(response.headers.end(), error.headers.begin(), error.headers.end());
  return response;
}

void add_anthropic_routes(Router& router, ServerContext& context) {
  for (const char* prefix : {"/v1", ""}) {
    router.add({"POST", std::string(prefix) + "/messages",
                [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
                  create_message(context, request, sink);
                }});
    router.add({"POST", std::string(prefix) + "/messages/count_tokens",
                [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
                  count_tokens(context, request, *sink);
                }});
  }
}

}  // namespace r1::server
