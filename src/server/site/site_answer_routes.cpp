// /api/site/answers, context and metrics (docs/site-api.md, "Answers").
#include <charconv>

#include "server/api/json_fields.h"
#include "server/content/site_error.h"
#include "server/site/site_prompt.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

constexpr int64_t kMax = int64_t{1} << 40;  // of tokens

AnswerRequest read_answer_request(const Json& body) {
  JsonFields fields(body);
  AnswerRequest request;
  request.id = fields.required_text("id");
  if (!site::is_valid_id(request.id)) refuse("id", "id: expected 8 to 64 of [A-Za-z0-9_-]");
  request.conversation = fields.required_text("conversation");
  request.parent = fields.required_text("parent");
  request.model = fields.text("model").value_or("");
  request.deep_think = fields.boolean("deep_think").value_or(true);
  request.search = fields.boolean("search").value_or(false);
  request.search_provider = fields.text("search_provider").value_or("");
  request.system_prompt = fields.text("system_prompt").value_or("");
  if (const Json* sampling = fields.object("sampling")) {
    JsonFields inner(*sampling, "sampling");
    request.temperature = inner.number("temperature", 0, 2);
    request.top_p = inner.number("top_p", 0, 1);
    request.max_tokens = inner.integer("max_tokens", 1, kMax);
    request.thinking_budget = inner.integer("thinking_budget", 0, kMax);
    request.seed = inner.integer("seed", 0);
    inner.refuse_unknown();
  }
  fields.refuse_unknown();
  return request;
}

void start(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  const auto started = site.answers.start(request.owner, read_answer_request(body));
  reply(sink, started.is_new ? 201 : 200, site::to_json(started.node));
}

void events(SiteService& site, const SiteRequest& request, const std::shared_ptr<ResponseSink>& sink) {
  // Whatever is no number of ours begins with a snapshot.
  const std::string_view header = request.http.header("last-event-id");
  uint64_t id = 0;
  const auto [end, problem] = std::from_chars(header.data(), header.data() + header.size(), id);
  const bool usable = !header.empty() && problem == std::errc() && end == header.data() + header.size();
  site.answers.attach(request.owner, request.ids[0], usable ? std::optional(id) : std::nullopt, sink);
}

/// How much of the model's context a question would take.
void context(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  const auto conversation = fields.text("conversation"), parent = fields.text("parent");
  const std::string content = fields.text("content").value_or("");
  const std::vector<std::string> ids = fields.texts("files", site::kMaxQuestionFiles);
  const std::string name = fields.text("model").value_or("");
  SiteQuestion question;
  question.deep_think = fields.boolean("deep_think").value_or(true);
  question.system_prompt = fields.text("system_prompt").value_or("");
  fields.refuse_unknown();
  // Nothing is loaded because somebody types.
  for (const auto& model : site.context.models.list()) {
    if (!model.loaded && (name.empty() || model.name == name))
      site::refuse(site::SiteError::Code::conflict, "model {}: it is not loaded", model.name);
    if (name.empty() || model.name == name) break;
  }
  CompletionSpec spec;
  spec.model = site.context.models.choose(name).model;
  if (conversation && parent) question.branch = site.store.branch(request.owner, *conversation, *parent);
  std::vector<site::PromptFile> files;
  site::Node draft;
  draft.content = content;
  for (const std::string& id : ids) {
    site::StoredFile file = site.store.read_file(request.owner, id);
    files.push_back({file.name, file.text});
    draft.files.push_back({id, file.name, file.bytes, file.tokens});
  }
  const int64_t drafted = draft_tokens(*spec.model, files, content);
  int64_t tokens = 0;
  if (drafted > 0 || !question.branch.empty()) {
    if (drafted > 0) question.branch.push_back(std::move(draft));
    ask_model(site.store, request.owner, question, -1, spec);
    tokens = std::ssize(spec.prompt);
  }
  reply(sink, 200, {{"tokens", tokens}, {"draft_tokens", drafted}, {"size", spec.model->context_length()}});
}

}  // namespace

void add_answer_routes(std::vector<SiteRoute>& routes) {
  const auto add = [&](const char* method, const char* pattern, PlainSiteHandler handler) {
    routes.push_back(plain_route(method, pattern, std::move(handler)));
  };
  add("POST", "/answers", start);
  routes.push_back({"GET", "/answers/*/events", events});
  add("POST", "/answers/*/stop", [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
    reply(sink, 200, site::to_json(site.answers.stop(request.owner, request.ids[0])));
  });
  add("POST", "/answers/*/answer-now", [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
    site.answers.answer_now(request.owner, request.ids[0]);
    reply_nothing(sink);
  });
  add("POST", "/answers/*/continue", [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
    reply(sink, 200, site::to_json(site.answers.go_on(request.owner, request.ids[0])));
  });
  add("POST", "/context", context);
  routes.push_back({"GET", "/metrics/events",
                    [](SiteService& site, const SiteRequest&, const std::shared_ptr<ResponseSink>& sink) {
                      site.metrics->attach(sink);
                    }});
}

}  // namespace r1::server
