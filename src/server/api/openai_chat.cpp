#include "server/api/openai_chat.h"

#include <ctime>

#include "server/api/chat_prompt.h"
#include "server/api/generation_fields.h"
#include "server/api/tool_fields.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

struct ChatAnswer {
  std::string id, model;
  int64_t created = std::time(nullptr);
  bool log_probabilities = false;
};

Json call_json(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json tokens_json(const std::vector<TextToken>& tokens, const Tokenizer& tokenizer) {
  Json list = Json::array();
  for (const TextToken& token : tokens) list.push_back(token_json(token, tokenizer));
  return list;
}

Json log_probabilities_json(const CompletionDelta& delta, const Tokenizer& tokenizer) {
  Json result = {{"content", tokens_json(delta.content_tokens, tokenizer)}, {"refusal", nullptr}};
  if (!delta.reasoning_tokens.empty())
    result["reasoning_content"] = tokens_json(delta.reasoning_tokens, tokenizer);
  return result;
}

/// Chunks as they come.
class ChatStream : public CompletionObserver {
 public:
  ChatStream(ChatAnswer answer, std::shared_ptr<ServedModel> model, std::shared_ptr<SseStream> stream,
             int64_t choices, bool include_usage)
      : answer_(std::move(answer)),
        model_(std::move(model)),
        stream_(std::move(stream)),
        choices_(choices),
        include_usage_(include_usage),
        calls_(static_cast<size_t>(choices), 0) {
    head_ = to_text({{"id", answer_.id},
                     {"object", "chat.completion.chunk"},
                     {"created", answer_.created},
                     {"model", answer_.model},
                     {"system_fingerprint", "r1"}});
    head_.pop_back();  // its brace
  }

  void on_start() override {
    stream_->begin({}, kHeartbeat);
    for (int64_t choice = 0; choice < choices_; ++choice)
      send(choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
  }

  bool on_delta(int64_t choice, CompletionDelta delta) override {
    Json fields = Json::object();
    if (!delta.reasoning.empty()) {
      fields["reasoning_content"] = delta.reasoning;
      fields["reasoning"] = std::move(delta.reasoning);
    }
    if (!delta.content.empty()) fields["content"] = std::move(delta.content);
    for (const ToolCall& call : delta.calls) {
      Json entry = call_json(call);
      entry["index"] = calls_[static_cast<size_t>(choice)]++;
      fields["tool_calls"].push_back(std::move(entry));
    }
    return send(choice, std::move(fields),
                answer_.log_probabilities ? log_probabilities_json(delta, model_->tokenizer()) : Json(),
                nullptr);
  }

  void on_choice_end(int64_t choice, const ChoiceResult& result) override {
    if (has_failed(result.end)) {
      failed_ = true;
      stream_->send(to_text(error_json(generation_error(result))));
      return;
    }
    send(choice, Json::object(), nullptr, finish_reason(result.end), stop_reason(result));
  }

  void on_end(const CompletionUsage& usage) override {
    if (!failed_) {
      if (include_usage_)
        stream_->send(head_ + R"(,"choices":[],"usage":)" + to_text(usage_json(usage)) + "}");
      stream_->send("[DONE]");
    }
    stream_->end();
  }

  void on_out_of_memory() noexcept override { stream_->end_with(kOutOfMemoryEvent); }

 private:
  bool send(int64_t choice, Json delta, Json log_probabilities, Json reason,
            const Json& stop_reason = nullptr) {
    Json entry = {{"index", choice},
                  {"delta", std::move(delta)},
                  {"logprobs", std::move(log_probabilities)},
                  {"finish_reason", std::move(reason)}};
    if (!stop_reason.is_null()) entry["stop_reason"] = stop_reason;
    std::string text = head_ + R"(,"choices":[)" + to_text(entry) + "]";
    if (include_usage_) text += R"(,"usage":null)";
    return stream_->send(text + "}");
  }

  ChatAnswer answer_;
  std::shared_ptr<ServedModel> model_;
  std::shared_ptr<SseStream> stream_;
  const int64_t choices_;
  const bool include_usage_;
  std::string head_;
  std::vector<int64_t> calls_;
  bool failed_ = false;
};

HttpResponse whole_answer(const ChatAnswer& answer, const Tokenizer& tokenizer,
                          std::vector<CollectedChoice> choices, const CompletionUsage& usage) {
  Json list = Json::array();
  for (size_t index = 0; index < choices.size(); ++index) {
    CollectedChoice& choice = choices[index];
    if (has_failed(choice.result.end)) return error_response(generation_error(choice.result));
    CompletionDelta& all = choice.all;
    Json message = {{"role", "assistant"}};
    message["content"] = all.content.empty() && !all.calls.empty() ? Json() : Json(std::move(all.content));
    if (!all.reasoning.empty()) {
      message["reasoning_content"] = all.reasoning;
      message["reasoning"] = std::move(all.reasoning);
    }
    message["refusal"] = nullptr;
    for (const ToolCall& call : all.calls) message["tool_calls"].push_back(call_json(call));
    Json entry = {{"index", index},
                  {"message", std::move(message)},
                  {"logprobs", answer.log_probabilities ? log_probabilities_json(all, tokenizer) : Json()},
                  {"finish_reason", finish_reason(choice.result.end)}};
    if (Json reason = stop_reason(choice.result); !reason.is_null()) entry["stop_reason"] = std::move(reason);
    list.push_back(std::move(entry));
  }
  return HttpResponse::json(200, to_text({{"id", answer.id},
                                          {"object", "chat.completion"},
                                          {"created", answer.created},
                                          {"model", answer.model},
                                          {"system_fingerprint", "r1"},
                                          {"choices", std::move(list)},
                                          {"usage", usage_json(usage)}}));
}

void read_log_probabilities(JsonFields& fields, CompletionSpec& spec, ChatAnswer& answer) {
  answer.log_probabilities = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top.value_or(0) > 0 && !answer.log_probabilities)
    refuse("top_logprobs", "top_logprobs: only together with logprobs: true");
  if (answer.log_probabilities) spec.sampling.top_log_probabilities = static_cast<int32_t>(top.value_or(0));
}

void handle_chat(ServerContext& context, const HttpRequest& request,
                 const std::shared_ptr<ResponseSink>& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::chat);
  CompletionSpec spec;
  choose_model(context.models, fields.text("model").value_or(""), spec);
  ChatAnswer answer{random_id("chatcmpl-"), spec.model_name};

  ChatPromptRequest chat;
  chat.adapter = spec.adapter;
  read_messages(fields, chat);
  if (!chat.add_generation_prompt && !chat.continue_last)
    refuse("add_generation_prompt", "add_generation_prompt: false only together with continue_final_message");
  chat.thinking = read_thinking(fields, chat.template_variables);
  read_generation_fields(fields, spec);
  read_log_probabilities(fields, spec, answer);
  const StreamOptions streaming = read_stream_options(fields);
  read_tools_and_constraint(fields, chat, spec);
  fields.refuse_unknown();

  spec.ticket = context.limiter.admit(request.key_name);
  apply_chat_prompt(build_chat_prompt(*spec.model, chat), chat.thinking, spec);
  ModelMetrics& metrics = context.metrics.of_model(answer.model);
  const std::string id = answer.id;
  std::shared_ptr<SseStream> stream;
  std::shared_ptr<CompletionObserver> observer;
  if (streaming.stream) {
    stream = std::make_shared<SseStream>(sink, streaming.resumable);
    observer = std::make_shared<ChatStream>(std::move(answer), spec.model, stream, spec.choices,
                                            streaming.include_usage);
  } else {
    observer = std::make_shared<CompletionCollector>(
        spec.choices, [sink, answer = std::move(answer), model = spec.model](
                          std::vector<CollectedChoice> choices, const CompletionUsage& usage) {
          sink->respond(whole_answer(answer, model->tokenizer(), std::move(choices), usage));
        });
  }
  const auto job = start_completion(std::move(spec), std::move(observer), metrics, "messages");
  context.jobs.add(id, request.key_name, job, stream, *sink);
}

}  // namespace

void add_chat_routes(Router& router, ServerContext& context) {
  const Handler chat = [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
    handle_chat(context, request, sink);
  };
  router.add({"POST", "/v1/chat/completions", chat});
  router.add({"POST", "/chat/completions", chat});
}

}  // namespace r1::server
