#include "server/api/model_routes.h"

#include <charconv>

#include "server/api/chat_prompt.h"
#include "server/api/generation_fields.h"
#include "server/api/tool_fields.h"

namespace r1::server {
namespace {

Json model_json(const ModelHost::Description& model) {
  return {{"id", model.name},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "r1"},
          {"parent", model.base.empty() ? Json() : Json(model.base)},
          {"loaded", model.loaded},
          {"max_model_len", model.context_length > 0 ? Json(model.context_length) : Json()}};
}

void list_models(ServerContext& context, ResponseSink& sink) {
  Json list = Json::array();
  for (const auto& model : context.models.list()) list.push_back(model_json(model));
  sink.respond(HttpResponse::json(200, to_text({{"object", "list"}, {"data", std::move(list)}})));
}

void show_model(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  if (request.path_rest.empty()) return list_models(context, sink);
  for (const auto& model : context.models.list()) {
    if (model.name == request.path_rest)
      return sink.respond(HttpResponse::json(200, to_text(model_json(model))));
  }
  throw ApiError(404, "model", "model_not_found",
                 fmt::format("model: '{}' is not served here", request.path_rest.substr(0, 200)));
}

/// A chat request as /tokenize and /apply-template take it.
ChatPrompt read_chat(const ServedModel& model, const Adapter* adapter, JsonFields& fields) {
  ChatPromptRequest chat;
  chat.adapter = adapter;
  read_messages(fields, chat);
  chat.thinking = read_thinking(fields, chat.template_variables);
  chat.tools = read_tools(model, fields).shown;
  // The template writes the special tokens.
  if (fields.boolean("add_special_tokens").value_or(false))
    refuse("add_special_tokens", "add_special_tokens: the chat template has them already");
  fields.refuse_unknown();
  return build_chat_prompt(model, chat);
}

void tokenize(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::tokens);
  const auto [model, adapter, name] = context.models.choose(fields.text("model").value_or(""));
  std::vector<int32_t> tokens;
  const bool with_pieces =
      fields.boolean("return_token_strs").value_or(false) || fields.boolean("with_pieces").value_or(false);
  if (fields.has("messages")) {
    tokens = read_chat(*model, adapter, fields).tokens;
  } else {
    const auto prompt = fields.text("prompt");
    const std::string text = prompt ? *prompt : fields.required_text("content");
    const bool special = fields.boolean("parse_special").value_or(true);
    tokens = model->tokenizer().encode(text, special);
    const bool add_bos =
        fields.boolean("add_special_tokens").value_or(false) || fields.boolean("add_special").value_or(false);
    if (add_bos && model->vocabulary().bos) tokens.insert(tokens.begin(), *model->vocabulary().bos);
    fields.refuse_unknown();
  }
  Json answer = {{"count", tokens.size()}, {"max_model_len", model->context_length()}, {"tokens", tokens}};
  if (with_pieces) {
    for (const int32_t token : tokens)
      answer["token_strs"].push_back(std::string(model->tokenizer().token_bytes(token)));
  }
  sink.respond(HttpResponse::json(200, to_text(answer)));
}

void detokenize(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::tokens);
  const auto model = context.models.choose(fields.text("model").value_or("")).model;
  fields.require("tokens");
  const std::vector<int32_t> tokens =
      read_token_ids(*fields.array("tokens"), model->tokenizer().size(), "tokens");
  const bool skip = fields.boolean("skip_special_tokens").value_or(false);
  fields.refuse_unknown();
  const std::string text = model->tokenizer().decode(tokens, skip);
  sink.respond(HttpResponse::json(200, to_text({{"prompt", text}, {"content", text}})));
}

void apply_template(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const Json body = parse_body(request.body);
  JsonFields fields(body, "", RequestObject::tokens);
  const auto [model, adapter, name] = context.models.choose(fields.text("model").value_or(""));
  const ChatPrompt prompt = read_chat(*model, adapter, fields);
  sink.respond(HttpResponse::json(200, to_text({{"prompt", prompt.text}, {"count", prompt.tokens.size()}})));
}

void health(ServerContext& context, ResponseSink& sink) {
  if (context.draining) return sink.respond(HttpResponse::json(503, R"({"status":"draining"})"));
  sink.respond(HttpResponse::json(200, R"({"status":"ok"})"));
}

std::string gauges(const ServerContext& context) {
  struct Gauge {
    const char *name, *type;
    std::string lines;
  };
  std::vector<Gauge> all = {{"r1_requests_running", "gauge", ""},
                            {"r1_requests_waiting", "gauge", ""},
                            {"r1_kv_blocks", "gauge", ""},
                            {"r1_kv_usage_ratio", "gauge", ""},
                            {"r1_preemptions_total", "counter", ""},
                            {"r1_draft_tokens_total", "counter", ""},
                            {"r1_accepted_draft_tokens_total", "counter", ""},
                            {"r1_forward_passes_total", "counter", ""},
                            {"r1_forward_rows_total", "counter", ""},
                            {"r1_forward_seconds_total", "counter", ""}};
  for (const auto& model : context.models.loaded()) {
    const EngineStatistics now = model->statistics();
    const std::string label = fmt::format("model=\"{}\"", escape_label(model->name()));
    const int64_t used = now.blocks_total - now.blocks_free - now.blocks_cached;
    const auto add = [&](size_t gauge, const std::string& labels, auto value) {
      all[gauge].lines += fmt::format("{}{{{}}} {}\n", all[gauge].name, labels, value);
    };
    add(0, label, now.running);
    add(1, label, now.waiting);
    add(2, label + ",state=\"used\"", used);
    add(2, label + ",state=\"cached\"", now.blocks_cached);
    add(2, label + ",state=\"free\"", now.blocks_free);
    add(3, label, static_cast<double>(used) / static_cast<double>(std::max<int64_t>(1, now.blocks_total)));
    add(4, label, now.preemptions);
    add(5, label, now.drafted_tokens);
    add(6, label, now.accepted_tokens);
    add(7, label, now.steps);
    add(8, label, now.computed_tokens);
    add(9, label, now.forward_seconds);
  }
  std::string out;
  for (const Gauge& gauge : all) {
    if (!gauge.lines.empty()) out += fmt::format("# TYPE {} {}\n{}", gauge.name, gauge.type, gauge.lines);
  }
  return out;
}

/// What each key used, by its name.
std::string key_lines(const RateLimiter& limiter) {
  const auto figures = limiter.figures();
  std::string out;
  const auto metric = [&](const char* name, const char* type, auto value) {
    if (!figures.empty()) out += fmt::format("# TYPE {} {}\n", name, type);
    for (const auto& [key, one] : figures)
      out += fmt::format("{}{{key=\"{}\"}} {}\n", name, escape_label(key), value(one));
  };
  using Figures = RateLimiter::Figures;
  metric("r1_key_requests_running", "gauge", [](const Figures& one) { return one.running; });
  metric("r1_key_requests_total", "counter", [](const Figures& one) { return one.total.requests; });
  metric("r1_key_refused_total", "counter", [](const Figures& one) { return one.refused; });
  metric("r1_key_prompt_tokens_total", "counter", [](const Figures& one) { return one.total.prompt_tokens; });
  metric("r1_key_generation_tokens_total", "counter",
         [](const Figures& one) { return one.total.generated_tokens; });
  return out;
}

void show_metrics(ServerContext& context, ResponseSink& sink) {
  HttpResponse response{200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}};
  response.body = context.metrics.render(gauges(context) + key_lines(context.limiter));
  sink.respond(std::move(response));
}

/// POST /v1/requests/ID/answer_now and /v1/requests/ID/cancel.
void steer_request(ServerContext& context, const HttpRequest& request, ResponseSink& sink) {
  const size_t slash = request.path_rest.find('/');
  const std::string id = request.path_rest.substr(0, slash);
  const std::string action = slash == std::string::npos ? "" : request.path_rest.substr(slash + 1);
  if (action != "answer_now" && action != "cancel") throw ApiError(404, "", "not_found", "no such path");
  const auto job = context.jobs.job(id, request.key_name);
  if (!job || job->ended())
    throw ApiError(404, "id", "request_not_found",
                   fmt::format("no request '{}' is running", id.substr(0, 100)));
  if (action == "cancel") {
    job->cancel();
  } else {
    job->answer_now();
  }
  sink.respond(HttpResponse::json(200, to_text({{"id", id}, {"status", action}})));
}

/// GET /v1/streams/ID, with Last-Event-ID.
void resume_stream(ServerContext& context, const HttpRequest& request,
                   const std::shared_ptr<ResponseSink>& sink) {
  const std::string& id = request.path_rest;
  const auto stream = context.jobs.stream(id, request.key_name);
  if (!stream || !stream->resumable())
    throw ApiError(404, "id", "stream_not_found", fmt::format("no resumable stream '{}'", id.substr(0, 100)));
  const std::string_view header = request.header("last-event-id");
  uint64_t last = 0;
  if (!header.empty()) {
    const auto [end, problem] = std::from_chars(header.data(), header.data() + header.size(), last);
    if (problem != std::errc() || end != header.data() + header.size())
      refuse("Last-Event-ID", "Last-Event-ID: expected a number");
  }
  // Before attaching: the client may be gone already.
  const std::weak_ptr<SseStream> weak = stream;
  if (!stream->attach(sink, last))
    throw ApiError(410, "Last-Event-ID", "events_gone", "the events behind that one are no longer kept");
  sink->on_abort([weak] {
    if (const auto alive = weak.lock()) alive->detach();
  });
}

}  // namespace

void add_model_routes(Router& router, ServerContext& context) {
  const auto simple = [&context](auto function) -> Handler {
    return [&context, function](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
      function(context, request, *sink);
    };
  };
  const auto shown = [&context](auto function) -> Handler {
    return [&context, function](const HttpRequest&, const std::shared_ptr<ResponseSink>& sink) {
      function(context, *sink);
    };
  };
  router.add({"GET", "/health", shown(health), true, true});
  router.add({"GET", "/v1/health", shown(health), true, true});
  router.add({"GET", "/version", shown([](ServerContext& here, ResponseSink& sink) {
                sink.respond(HttpResponse::json(200, to_text({{"version", here.version}})));
              }),
              true, true});
  // What tells of running answers, or steers them, works as long as they run.
  constexpr bool kOpen = false, kQuick = false, kWhileDraining = true;
  router.add({"GET", "/metrics", shown(show_metrics), kOpen, kQuick, kWhileDraining});
  for (const char* prefix : {"/v1", ""}) {
    router.add({"GET", fmt::format("{}/models", prefix), shown(list_models)});
    router.add({"GET", fmt::format("{}/models/*", prefix), simple(show_model)});
  }
  router.add({"POST", "/tokenize", simple(tokenize)});
  router.add({"POST", "/detokenize", simple(detokenize)});
  router.add({"POST", "/apply-template", simple(apply_template)});
  router.add({"POST", "/v1/requests/*", simple(steer_request), kOpen, kQuick, kWhileDraining});
  router.add({"GET", "/v1/streams/*",
              [&context](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
                resume_stream(context, request, sink);
              },
              kOpen, kQuick, kWhileDraining});
}

}  // namespace r1::server
