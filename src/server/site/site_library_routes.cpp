// /api/site/files, search and index (docs/site-api.md, "Files", "Search and index").
#include <algorithm>
#include <atomic>
#include <memory>

#include "server/api/json_fields.h"
#include "server/content/site_error.h"
#include "server/content/site_time.h"
#include "server/site/site_prompt.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

using Code = site::SiteError::Code;

void upload(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const std::string name = request.http.query_value("name");
  if (name.empty()) refuse("name", "name: expected the file's name");
  if (!site.readers.try_acquire())
    throw ApiError(503, "", "busy", "other files are being read: try again in a moment");
  const auto release = [&](void*) { site.readers.release(); };
  const std::unique_ptr<void, decltype(release)> reading(&site, release);
  site::ExtractedText extracted = site.extractor.extract(name, request.http.body);
  site::StoredFile file;
  file.id = site::make_id();
  file.name = std::move(extracted.name);
  file.bytes = std::ssize(request.http.body);
  file.characters = extracted.characters;
  file.created = site::now_ms();
  file.text = std::move(extracted.text);
  file.tokens = draft_tokens(*site.context.models.choose("").model, {{file.name, file.text}}, "");
  site.store.add_file(request.owner, file);
  Json json = site::to_json(static_cast<const site::AttachedFile&>(file));
  json["characters"] = file.characters;
  reply(sink, 201, json);
}

void show_text(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  sink.respond({200,
                {{"Content-Type", "text/plain; charset=utf-8"},
                 {"Content-Disposition", "attachment; filename=\"file.txt\""},
                 {"X-Content-Type-Options", "nosniff"},
                 {"Cache-Control", "no-store"}},
                site.store.read_file(request.owner, request.ids[0]).text});
}

/// Where an indexed file lies on the server's disk is shown to who runs it; to others, its name.
std::string shown_location(const SiteRequest& request, const std::string& location) {
  if (request.owner == kLocalOwner || !location.starts_with('/')) return location;
  return location.substr(location.rfind('/') + 1);
}

void search(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const Json body = request.json();
  JsonFields fields(body);
  const std::string query = fields.required_text("query");
  const std::string name = fields.text("provider").value_or("");
  const auto limit = static_cast<int>(fields.integer("limit", 1, 50).value_or(10));
  fields.refuse_unknown();
  site::SearchProvider& provider = site.answers.provider(name);
  Json sources = Json::array();
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  sink.on_abort([gone] { *gone = true; });
  for (const site::SearchText& result : provider.search(query, limit, [gone] { return gone->load(); }))
    sources.push_back(site::to_json(result.source));
  reply(sink, 200, {{"provider", provider.name()}, {"sources", std::move(sources)}});
}

/// What the server's own disk and network hold is shown to who runs it.
void check_may_change(const SiteRequest& request) {
  if (request.owner != kLocalOwner)
    throw ApiError(403, "", "forbidden", "the index is changed by who runs the server");
}

void add_entry(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  check_may_change(request);
  const Json body = request.json();
  JsonFields fields(body);
  const std::string location = fields.required_text("location");
  fields.refuse_unknown();
  const site::IndexEntry entry = site.index.add(location);
  site.refresh_later(entry.id);
  reply(sink, 201, site::to_json(entry));
}

void refresh_entry(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  check_may_change(request);
  std::vector<site::IndexEntry> entries = site.index.list();
  const auto found = std::ranges::find(entries, request.ids[0], &site::IndexEntry::id);
  if (found == entries.end()) site::refuse(Code::not_found, "index entry {}: there is none", request.ids[0]);
  site.refresh_later(found->id);
  found->state = site::IndexEntry::State::indexing;
  found->error.reset();
  reply(sink, 200, site::to_json(*found));
}

void remove_entry(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  check_may_change(request);
  site.index.remove(request.ids[0]);
  reply_nothing(sink);
}

void list_entries(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  Json entries = Json::array();
  for (site::IndexEntry entry : site.index.list()) {
    entry.location = shown_location(request, entry.location);
    if (request.owner != kLocalOwner) entry.error.reset();  // it can name files
    entries.push_back(site::to_json(entry));
  }
  reply(sink, 200, {{"entries", std::move(entries)}});
}

void show_document(SiteService& site, const SiteRequest& request, ResponseSink& sink) {
  const site::IndexDocument document = site.index.document(request.ids[0]);
  reply(sink, 200,
        {{"id", document.id},
         {"title", document.title},
         {"location", shown_location(request, document.location)},
         {"text", document.text}});
}

}  // namespace

void add_library_routes(std::vector<SiteRoute>& routes) {
  const auto add = [&](const char* method, const char* pattern, PlainSiteHandler handler) {
    routes.push_back(plain_route(method, pattern, std::move(handler)));
  };
  add("POST", "/files", upload);
  routes.back().upload = true;
  add("GET", "/files/*/text", show_text);
  add("DELETE", "/files/*", [](SiteService& site, const SiteRequest& request, ResponseSink& sink) {
    site.store.remove_file(request.owner, request.ids[0]);
    reply_nothing(sink);
  });
  add("POST", "/search", search);
  add("GET", "/index", list_entries);
  add("POST", "/index", add_entry);
  add("POST", "/index/*/refresh", refresh_entry);
  add("DELETE", "/index/*", remove_entry);
  add("GET", "/index/documents/*", show_document);
}

}  // namespace r1::server
