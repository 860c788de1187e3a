#include "server/api/openai_responses.h"

#include <ctime>
#include <functional>

#include "server/api/chat_prompt.h"
#include "server/api/generation_fields.h"
#include "server/api/response_input.h"
#include "server/api/response_items.h"
#include "server/api/tool_fields.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

/// Collects the output's items; streams them when there is a stream. One item is open at a time: thinking,
/// the message, or a call.
class ResponseAnswer : public CompletionObserver {
 public:
  using KeepItems = std::function<void(const Json& output)>;

  /// `head`: the response without its output. `stream`: null: the whole goes to `sink` at the end. `keep`: gets the
  /// items of an answer that did not fail; may be empty.
  ResponseAnswer(Json head, std::shared_ptr<SseStream> stream, std::shared_ptr<ResponseSink> sink,
                 KeepItems keep)
      : response_(std::move(head)),
        stream_(std::move(stream)),
        sink_(std::move(sink)),
        keep_(std::move(keep)) {
    response_["output"] = Json::array();
  }

  void on_start() override {
    if (!stream_) return;
    stream_->begin({}, kHeartbeat);
    send("response.created", {{"response", response_}});
    send("response.in_progress", {{"response", response_}});
  }

  bool on_delta(int64_t, CompletionDelta delta) override {
    if (!delta.reasoning.empty()) append(Open::reasoning, delta.reasoning);
    if (!delta.content.empty()) append(Open::message, delta.content);
    for (const ToolCall& call : delta.calls) add_call(call);
    return alive_;
  }

  void on_choice_end(int64_t, const ChoiceResult& result) override { result_ = result; }

  void on_end(const CompletionUsage& usage) override {
    close(result_.end == AnswerEnd::length ? "incomplete" : "completed");
    const bool failed = has_failed(result_.end);
    std::string status = "completed";
    if (failed) {
      status = "failed";
      response_["error"] = {{"code", "server_error"}, {"message", generation_error(result_).what()}};
    } else if (result_.end == AnswerEnd::length) {
      status = "incomplete";
      response_["incomplete_details"] = {{"reason", "max_output_tokens"}};
    }
    response_["status"] = status;
    response_["usage"] = {{"input_tokens", usage.prompt_tokens},
                          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
                          {"output_tokens", usage.completion_tokens},
                          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
                          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
    // Before the client can ask for them.
    if (keep_ && !failed) keep_(response_["output"]);
    if (stream_) {
      send("response." + status, {{"response", response_}});
      stream_->end();
    } else if (failed) {
      sink_->respond(error_response(generation_error(result_)));
    } else {
      sink_->respond(HttpResponse::json(200, to_text(response_)));
    }
  }

  void on_out_of_memory() noexcept override {
    if (stream_) return stream_->end_with(kOutOfMemoryEvent, "error");
    respond_out_of_memory(*sink_);
  }

 private:
  enum class Open { nothing, reasoning, message };

  void send(const std::string& type, const Json& fields) {
    if (!stream_) return;
    Json event = {{"type", type}, {"sequence_number", sequence_++}};
    event.update(fields);
    alive_ = stream_->send(to_text(event), type) && alive_;
  }

  Json& item() { return response_["output"].back(); }
  size_t index() { return response_["output"].size() - 1; }
  /// An event about the open item's text.
  Json place() { return {{"item_id", item()["id"]}, {"output_index", index()}, {"content_index", 0}}; }
  Json with_place(const Json& fields) {
    Json all = place();
    all.update(fields);
    return all;
  }
  const char* part_type() const { return open_ == Open::reasoning ? "reasoning_text" : "output_text"; }
  Json part(const std::string& text) const {
    Json json = {{"type", part_type()}, {"text", text}};
    if (open_ == Open::message) {
      json["annotations"] = Json::array();
      json["logprobs"] = Json::array();
    }
    return json;
  }

  void append(Open kind, const std::string& text) {
    if (open_ != kind) {
      close("completed");
      open_ = kind;
      if (kind == Open::reasoning) {
        response_["output"].push_back({{"id", random_id("rs_")},
                                       {"type", "reasoning"},
                                       {"summary", Json::array()},
                                       {"content", Json::array()},
                                       {"status", "in_progress"}});
      } else {
        response_["output"].push_back({{"id", random_id("msg_")},
                                       {"type", "message"},
                                       {"status", "in_progress"},
                                       {"role", "assistant"},
                                       {"content", Json::array()}});
      }
      send("response.output_item.added", {{"output_index", index()}, {"item", item()}});
      if (stream_) send("response.content_part.added", with_place({{"part", part("")}}));
    }
    text_ += text;
    if (!stream_) return;
    Json delta = {{"delta", text}};
    if (kind == Open::message) delta["logprobs"] = Json::array();
    send(fmt::format("response.{}.delta", part_type()), with_place(delta));
  }

  void close(const char* status) {
    if (open_ == Open::nothing) return;
    if (stream_) {
      Json done = {{"text", text_}};
      if (open_ == Open::message) done["logprobs"] = Json::array();
      send(fmt::format("response.{}.done", part_type()), with_place(done));
      send("response.content_part.done", with_place({{"part", part(text_)}}));
    }
    item()["content"].push_back(part(text_));
    item()["status"] = status;
    text_.clear();
    open_ = Open::nothing;
    send("response.output_item.done", {{"output_index", index()}, {"item", item()}});
  }

  void add_call(const ToolCall& call) {
    close("completed");
    response_["output"].push_back({{"id", random_id("fc_")},
                                   {"type", "function_call"},
                                   {"status", "in_progress"},
                                   {"call_id", call.id},
                                   {"name", call.name},
                                   {"arguments", ""}});
    send("response.output_item.added", {{"output_index", index()}, {"item", item()}});
    Json where = {{"item_id", item()["id"]}, {"output_index", index()}};
    Json delta = where, done = where;
    delta["delta"] = call.arguments;
    send("response.function_call_arguments.delta", delta);
    done["name"] = call.name;
    done["arguments"] = call.arguments;
    send("response.function_call_arguments.done", done);
    item()["arguments"] = call.arguments;
    item()["status"] = "completed";
    send("response.output_item.done", {{"output_index", index()}, {"item", item()}});
  }

  Json response_;
  std::shared_ptr<SseStream> stream_;
  std::shared_ptr<ResponseSink> sink_;
  KeepItems keep_;
  int64_t sequence_ = 0;
  Open open_ = Open::nothing;
  std::string text_;  // of the open item
  ChoiceResult result_;
  bool alive_ = true;
};

/// The shortest number that is this float: 0.95, not 0.949999988079071.
double as_written(float value) {
  return std::stod(fmt::format("{}", value));
}

void create_response(ServerContext& context, const std::shared_ptr<ResponseItems>& items,
                     const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
  ResponseRequest wanted = read_response_request(
      parse_body(request.body), [&](const std::string& id) { return items->find(request.key_name, id); });
  JsonFields fields(wanted.chat);
  CompletionSpec spec;
  choose_model(context.models, fields.text("model").value_or(""), spec);
  ChatPromptRequest chat;
  chat.messages = std::move(wanted.messages);
  chat.adapter = spec.adapter;
  chat.field = "input";
  chat.schema_field = "text.format.schema";
  chat.thinking = read_thinking(fields, chat.template_variables);
  read_generation_fields(fields, spec);
  const StreamOptions streaming = read_stream_options(fields);
  read_tools_and_constraint(fields, chat, spec);
  fields.refuse_unknown();
  spec.ticket = context.limiter.admit(request.key_name);
  apply_chat_prompt(build_chat_prompt(*spec.model, chat), chat.thinking, spec);

  const std::string id = random_id("resp_");
  Json head = {{"id", id},
               {"object", "response"},
               {"created_at", std::time(nullptr)},
               {"status", "in_progress"},
               {"background", false},
               {"error", nullptr},
               {"incomplete_details", nullptr},
               {"model", spec.model_name},
               {"previous_response_id", nullptr},
               {"store", false},
               {"temperature", as_written(spec.sampling.temperature)},
               {"top_p", as_written(spec.sampling.top_p)},
               {"truncation", "disabled"},
               {"usage", nullptr}};
  head.update(wanted.echo);
  ModelMetrics& metrics = context.metrics.of_model(spec.model_name);
  std::shared_ptr<SseStream> stream;
  if (streaming.stream) stream = std::make_shared<SseStream>(sink, false);
  ResponseAnswer::KeepItems keep;
  if (wanted.keep_items)
    keep = [items, key_name = request.key_name](const Json& output) { items->add(key_name, output); };
  auto observer = std::make_shared<ResponseAnswer>(std::move(head), stream, sink, std::move(keep));
  const auto job = start_completion(std::move(spec), std::move(observer), metrics, "input");
  context.jobs.add(id, request.key_name, job, stream, *sink);
}

}  // namespace

void add_response_routes(Router& router, ServerContext& context) {
  const auto items = std::make_shared<ResponseItems>();
  const Handler create = [&context, items](const HttpRequest& request,
                                           const std::shared_ptr<ResponseSink>& sink) {
    create_response(context, items, request, sink);
  };
  router.add({"POST", "/v1/responses", create});
  router.add({"POST", "/responses", create});
}

}  // namespace r1::server
