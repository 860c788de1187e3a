// /api/site/conversations, export and import (docs/site-api.md, "Conversations").
#include <charconv>

#include "server/api/json_fields.h"
#include "server/content/site_error.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

constexpr int64_t kLatest = int64_t{1} << 50;  // of times in ms

void send_download(ResponseSink& sink, const std::string& name, const std::string& type, std::string text,
                   std::vector<HttpHeader> headers = {}) {
  headers.insert(headers.end(), {{"Content-Type", type},
                                 {"Content-Disposition", fmt::format("attachment; filename=\"{}\"", name)},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Cache-Control", "no-store"}});
  sink.respond({200, std::move(headers), std::move(text)});
}

int limit_of(const HttpRequest& request) {
  const std::string text = request.query_value("limit");
  if (text.empty()) return 50;
  int limit = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (problem != std::errc() || end != text.data() + text.size() || limit < 1 || limit > 500)
    refuse("limit", "limit: expected 1 to 500, found '{}'", text.substr(0, 40));
  return limit;
}

Json found_json(const site::FoundConversation& found) {
  Json json = site::to_json(static_cast<const site::Summary&>(found));
  Json snippet = Json::array();
  for (const site::SnippetPart& part : found.snippet)
    snippet.push_back({{"text", part.text}, {"match", part.match}});
  json["hit"] = {{"node", found.node ? Json(*found.node) : Json()}, {"snippet", std::move(snippet)}};
  return json;
}

void list(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const int limit = limit_of(request.http);
  Json result = {{"conversations", Json::array()}, {"next", nullptr}};
  if (const std::string query = request.http.query_value("query"); !query.empty()) {
    for (const auto& found : site.store.search(request.owner, query, limit))
      result["conversations"].push_back(found_json(found));
    return reply(sink, 200, result);
  }
  const std::string before = request.http.query_value("before");
  const site::SummaryPage page =
      site.store.list(request.owner, limit, before.empty() ? std::nullopt : std::optional(before));
  for (const site::Summary& summary : page.conversations)
    result["conversations"].push_back(site::to_json(summary));
  if (page.next) result["next"] = *page.next;
  reply(sink, 200, result);
}

void create(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  const std::string title = fields.required_text("title");
  fields.require("created");
  const int64_t created = *fields.integer("created", 0, kLatest);
  fields.refuse_unknown();
  const auto made = site.store.create(request.owner, request.ids[0], title, created);
  reply(sink, made.is_new ? 201 : 200, site::to_json(made.summary));
}

void show(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  site::Conversation conversation = site.store.read(request.owner, request.ids[0]);
  for (site::Node& node : conversation.nodes) {
    if (node.state == site::AnswerState::running) node = site.answers.latest(request.owner, std::move(node));
  }
  reply(sink, 200, site::to_json(conversation));
}

void change(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  const auto title = fields.text("title"), leaf = fields.text("leaf");
  fields.refuse_unknown();
  reply(sink, 200, site::to_json(site.store.change(request.owner, request.ids[0], title, leaf)));
}

void remove(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  site.answers.stop_conversation(request.owner, request.ids[0]);
  site.store.remove(request.owner, request.ids[0]);
  reply_nothing(sink);
}

void remove_all(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  if (request.http.query_value("confirm") != "all") refuse("confirm", "confirm: expected 'all'");
  site.answers.stop_conversation(request.owner, "");
  site.store.remove_all(request.owner);
  reply_nothing(sink);
}

void add_question(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  site::Node node;
  node.id = request.ids[1];
  node.role = site::Role::user;
  node.parent = fields.text("parent");
  fields.require("created");
  node.created = *fields.integer("created", 0, kLatest);
  node.content = fields.required_text("content");
  if (const Json* files = fields.array("files")) {
    for (const Json& file : *files) {
      if (!file.is_string()) refuse("files", "files: expected ids, found {}", file.type_name());
      node.files.push_back({file.get<std::string>(), ""});
    }
  }
  fields.refuse_unknown();
  const auto added = site.store.add_question(request.owner, request.ids[0], node);
  reply(sink, added.is_new ? 201 : 200, site::to_json(added.node));
}

void export_one(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const std::string format = request.http.query_value("format");
  if (format == "markdown") {
    return send_download(sink, "conversation.md", "text/markdown; charset=utf-8",
                         site.store.export_markdown(request.owner, request.ids[0]));
  }
  if (!format.empty() && format != "json")
    refuse("format", "format: expected json or markdown, found '{}'", format.substr(0, 40));
  send_download(sink, "conversation.json", "application/json",
                site.store.export_conversation(request.owner, request.ids[0]).dump());
}

/// In parts that can be imported again.
void export_all(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const std::string text = request.http.query_value("after");
  int64_t after = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), after);
  if (!text.empty() && (problem != std::errc() || end != text.data() + text.size()))
    refuse("after", "after: expected what an earlier part named, found '{}'", text.substr(0, 40));
  auto part = site.store.export_part(request.owner, after);
  std::vector<HttpHeader> headers;
  if (part.next)
    headers.push_back({"Link", fmt::format("</api/site/export?after={}>; rel=\"next\"", *part.next)});
  send_download(sink, "conversations.json", "application/json", std::move(part.document), std::move(headers));
}

void import_document(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const auto result = site.store.import(request.owner, request.http.body);
  reply(sink, 200, {{"imported", result.imported}, {"skipped", result.skipped}});
}

}  // namespace

void add_conversation_routes(std::vector<SiteRoute>& routes) {
  const auto add = [&](const char* method, const char* pattern, PlainSiteHandler handler) {
    routes.push_back(plain_route(method, pattern, std::move(handler)));
  };
  add("GET", "/conversations", list);
  add("DELETE", "/conversations", remove_all);
  add("PUT", "/conversations/*", create);
  add("GET", "/conversations/*", show);
  add("PATCH", "/conversations/*", change);
  add("DELETE", "/conversations/*", remove);
  add("PUT", "/conversations/*/nodes/*", add_question);
  add("GET", "/conversations/*/export", export_one);
  add("GET", "/export", export_all);
  add("POST", "/import", import_document);
}

}  // namespace r1::server
