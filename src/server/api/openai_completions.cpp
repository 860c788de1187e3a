#include "server/api/openai_completions.h"

#include <ctime>
#include <mutex>

#include "server/api/generation_fields.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

/// The prompts of a request: a text, texts, tokens, or lists of tokens.
std::vector<std::vector<int32_t>> read_prompts(const ServedModel& model, JsonFields& fields,
                                               std::vector<std::string>& texts) {
  const Json& prompt = fields.require("prompt");
  std::vector<std::vector<int32_t>> result;
  const auto add_text = [&](const std::string& text) {
    result.push_back(model.encode(text));
    texts.push_back(text);
  };
  const auto add_tokens = [&](const Json& list) {
    std::vector<int32_t> tokens = read_token_ids(list, model.info().vocabulary, "prompt");
    texts.push_back(model.tokenizer().decode(tokens, false));
    result.push_back(std::move(tokens));
  };
  if (prompt.is_string()) {
    add_text(prompt.get<std::string>());
  } else if (prompt.is_array() && !prompt.empty() && prompt[0].is_number()) {
    add_tokens(prompt);
  } else if (prompt.is_array()) {
    for (const Json& one : prompt) {
      if (one.is_string()) {
        add_text(one.get<std::string>());
      } else if (one.is_array()) {
        add_tokens(one);
      } else {
        refuse("prompt", "prompt: expected texts or lists of tokens, found {}", one.type_name());
      }
    }
  } else {
    refuse("prompt", "prompt: expected a text, texts, or tokens, found {}", prompt.type_name());
  }
  if (result.empty() || result.size() > 128)
    refuse("prompt", "prompt: expected 1 to 128 prompts, found {}", result.size());
  for (const auto& tokens : result) {
    if (tokens.empty()) refuse("prompt", "prompt: expected at least one token");
  }
  return result;
}

/// Legacy log-probabilities: lists side by side.
Json log_probabilities_json(const std::vector<TextToken>& tokens, const Tokenizer& tokenizer,
                            size_t& offset) {
  Json result = {{"tokens", Json::array()},
                 {"token_logprobs", Json::array()},
                 {"top_logprobs", Json::array()},
                 {"text_offset", Json::array()}};
  const auto text_of = [&](int32_t token) {
    return token < tokenizer.size() ? std::string(tokenizer.token_bytes(token)) : std::string();
  };
  for (const auto& [token, part] : tokens) {
    Json top = Json::object();
    for (const TokenProbability& one : token.top)
      top[text_of(one.token)] = std::max(-9999.0F, one.log_probability);
    const std::string text = part ? *part : text_of(token.token);
    result["tokens"].push_back(text);
    result["token_logprobs"].push_back(token.chosen ? std::max(-9999.0F, token.chosen->log_probability) : 0);
    result["top_logprobs"].push_back(std::move(top));
    result["text_offset"].push_back(offset);
    offset += text.size();
  }
  return result;
}

/// All prompts' answers, streamed or whole. Each prompt is a job of its own; their events are put together
/// here.
class CompletionAnswer : public std::enable_shared_from_this<CompletionAnswer> {
 public:
  std::string id, model_name;
  int64_t created = std::time(nullptr);
  bool stream = false, include_usage = false, log_probabilities = false;
  std::shared_ptr<ServedModel> model;
  std::shared_ptr<ResponseSink> sink;
  std::shared_ptr<SseStream> sse;
  std::vector<std::string> echoes;  // of each prompt; empty: none
  int64_t choices = 1;              // of each prompt
  std::vector<std::shared_ptr<CompletionJob>> jobs;

  void begin(int64_t prompts) {
    open_ = prompts;
    all_.resize(static_cast<size_t>(prompts * choices));
    offsets_.resize(all_.size(), 0);
  }

  void started() {
    const std::lock_guard lock(mutex_);
    if (!stream || std::exchange(begun_, true)) return;
    sse->begin({}, kHeartbeat);
    for (size_t prompt = 0; prompt < echoes.size(); ++prompt) {
      for (int64_t choice = 0; choice < choices; ++choice)
        send(static_cast<int64_t>(prompt) * choices + choice, echoes[prompt], nullptr, nullptr);
    }
  }

  bool delta(int64_t index, CompletionDelta delta) {
    const std::lock_guard lock(mutex_);
    if (over_) return false;
    if (stream) {
      Json list;
      if (log_probabilities)
        list = log_probabilities_json(delta.content_tokens, model->tokenizer(),
                                      offsets_[static_cast<size_t>(index)]);
      return send(index, delta.content, std::move(list), nullptr);
    }
    CompletionDelta& all = all_[static_cast<size_t>(index)].all;
    all.content += delta.content;
    all.content_tokens.insert(all.content_tokens.end(), std::make_move_iterator(delta.content_tokens.begin()),
                              std::make_move_iterator(delta.content_tokens.end()));
    return true;
  }

  void choice_end(int64_t index, const ChoiceResult& result) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    all_[static_cast<size_t>(index)].result = result;
    if (has_failed(result.end)) {
      failure_ = result;
    } else if (stream) {
      send(index, "", nullptr, finish_reason(result.end), stop_reason(result));
    }
  }

  void end(const CompletionUsage& usage) {
    const std::lock_guard lock(mutex_);
    usage_.prompt_tokens += usage.prompt_tokens;
    usage_.cached_tokens += usage.cached_tokens;
    usage_.completion_tokens += usage.completion_tokens;
    if (--open_ > 0 || over_) return;
    if (stream) {
      if (failure_) {
        sse->send(to_text(error_json(generation_error(*failure_))));
      } else {
        if (include_usage) {
          Json chunk = head();
          chunk["choices"] = Json::array();
          chunk["usage"] = usage_json(usage_);
          sse->send(to_text(chunk));
        }
        sse->send("[DONE]");
      }
      return sse->end();
    }
    if (failure_) return sink->respond(error_response(generation_error(*failure_)));
    Json whole = head();
    for (size_t index = 0; index < all_.size(); ++index) {
      const size_t prompt = index / static_cast<size_t>(choices);
      CollectedChoice& one = all_[index];
      size_t offset = 0;
      Json entry = {{"index", index},
                    {"text", (echoes.empty() ? "" : echoes[prompt]) + one.all.content},
                    {"logprobs", log_probabilities ? log_probabilities_json(one.all.content_tokens,
                                                                            model->tokenizer(), offset)
                                                   : Json()},
                    {"finish_reason", finish_reason(one.result.end)}};
      if (Json reason = stop_reason(one.result); !reason.is_null()) entry["stop_reason"] = std::move(reason);
      whole["choices"].push_back(std::move(entry));
    }
    whole["usage"] = usage_json(usage_);
    sink->respond(HttpResponse::json(200, to_text(whole)));
  }

  /// Nothing is said behind it. False: nothing was said before either, whoever calls it answers.
  bool fail(const ApiError& error) {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (!begun_) return false;
    sse->end_with(to_text(error_json(error)));
    return true;
  }

  /// The end of one prompt's answers could not be told: that of all is an error, and the others' answers go nowhere.
  void out_of_memory() noexcept {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    if (stream) return sse->end_with(kOutOfMemoryEvent);
    respond_out_of_memory(*sink);
  }

 private:
  Json head() const {
    return {{"id", id},
            {"object", "text_completion"},
            {"created", created},
            {"model", model_name},
            {"system_fingerprint", "r1"}};
  }
  bool send(int64_t index, const std::string& text, Json list, Json reason, Json stop = nullptr) {
    Json chunk = head();
    Json entry = {{"index", index},
                  {"text", text},
                  {"logprobs", std::move(list)},
                  {"finish_reason", std::move(reason)}};
    if (!stop.is_null()) entry["stop_reason"] = std::move(stop);
    chunk["choices"] = Json::array({std::move(entry)});
    if (include_usage) chunk["usage"] = nullptr;
    return sse->send(to_text(chunk));
  }

  std::mutex mutex_;
  bool begun_ = false, over_ = false;
  int64_t open_ = 0;
  std::vector<CollectedChoice> all_;
  std::vector<size_t> offsets_;
  std::optional<ChoiceResult> failure_;
  CompletionUsage usage_;
};

class PromptObserver : public CompletionObserver {
 public:
  PromptObserver(std::shared_ptr<CompletionAnswer> answer, int64_t first)
      : answer_(std::move(answer)), first_(first) {}
  void on_start() override { answer_->started(); }
  bool on_delta(int64_t choice, CompletionDelta delta) override {
    return answer_->delta(first_ + choice, std::move(delta));
  }
  void on_choice_end(int64_t choice, const ChoiceResult& result) override {
    answer_->choice_end(first_ + choice, result);
  }
  void on_end(const CompletionUsage& usage) override { answer_->end(usage); }
  void on_out_of_memory() noexcept override { answer_->out_of_memory(); }

 private:
  std::shared_ptr<CompletionAnswer> answer_;
  int64_t first_;
};

void cancel(const std::vector<std::weak_ptr<CompletionJob>>& jobs) {
  for (const auto& weak : jobs) {
    if (const auto job = weak.lock()) job->cancel();
  }
}

void handle_completion(ServerContext& context, const HttpRequest& request,
                       const std::shared_ptr<ResponseSink>& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::completion);
  CompletionSpec spec;
  choose_model(context.models, fields.text("model").value_or(""), spec);
  spec.split = false;
  spec.loop_detection = false;
  spec.max_tokens = 16;  // OpenAI's default for this path
  std::vector<std::string> texts;
  const std::vector<std::vector<int32_t>> prompts = read_prompts(*spec.model, fields, texts);
  read_generation_fields(fields, spec);
  const StreamOptions streaming = read_stream_options(fields);
  spec.constraint = read_constraint(*spec.model, fields);
  const auto log_probabilities = fields.integer("logprobs", 0, 20);
  const bool echo = fields.boolean("echo").value_or(false);
  if (echo && log_probabilities) refuse("logprobs", "logprobs: not for a prompt that is echoed");
  if (streaming.resumable) refuse("stream_options", "stream_options.resumable: only for chats");
  if (log_probabilities) spec.sampling.top_log_probabilities = static_cast<int32_t>(*log_probabilities);
  fields.refuse_unknown();

  auto answer = std::make_shared<CompletionAnswer>();
  answer->id = random_id("cmpl-");
  answer->model_name = spec.model_name;
  answer->stream = streaming.stream;
  answer->include_usage = streaming.include_usage;
  answer->log_probabilities = log_probabilities.has_value();
  answer->model = spec.model;
  answer->sink = sink;
  answer->choices = spec.choices;
  if (echo) answer->echoes = texts;
  if (streaming.stream) answer->sse = std::make_shared<SseStream>(sink, false);
  answer->begin(std::ssize(prompts));
  // All prompts must fit before the first one starts.
  for (const auto& prompt : prompts) {
    if (std::ssize(prompt) < spec.model->context_length()) continue;
    ApiError error(400, "prompt", "context_length_exceeded",
                   fmt::format("context: a prompt of {} tokens leaves no room in {}", prompt.size(),
                               spec.model->context_length()));
    error.extra["n_prompt_tokens"] = prompt.size();
    error.extra["n_ctx"] = spec.model->context_length();
    throw error;
  }
  spec.ticket = context.limiter.admit(request.key_name);
  ModelMetrics& metrics = context.metrics.of_model(answer->model_name);
  std::vector<std::weak_ptr<CompletionJob>> jobs;
  try {
    for (size_t index = 0; index < prompts.size(); ++index) {
      CompletionSpec one = spec;
      one.prompt = prompts[index];
      limit_to_context(one);
      auto observer = std::make_shared<PromptObserver>(answer, static_cast<int64_t>(index) * spec.choices);
      const auto job = start_completion(std::move(one), std::move(observer), metrics, "prompt");
      jobs.push_back(job);
      context.jobs.add(index == 0 ? answer->id : random_id("cmpl-"), request.key_name, job, nullptr, *sink);
    }
  } catch (const ApiError& error) {  // a limit of the key
    cancel(jobs);
    if (!answer->fail(error)) throw;
  } catch (const std::bad_alloc&) {
    cancel(jobs);
    if (!answer->fail({503, "", "out_of_memory", "out of memory"})) throw;
  }
  sink->on_abort([jobs] { cancel(jobs); });
}

}  // namespace

void add_completion_routes(Router& router, ServerContext& context) {
  const Handler complete = [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
    handle_completion(context, request, sink);
  };
  router.add({"POST", "/v1/completions", complete});
  router.add({"POST", "/completions", complete});
}

}  // namespace r1::server
