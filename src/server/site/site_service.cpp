#include "server/site/site_service.h"

#include <algorithm>

#include "server/api/generation_fields.h"
#include "server/content/site_time.h"

namespace r1::server {
namespace {

constexpr std::chrono::hours kUnusedFileTime{24};

AnswerBoard::Providers make_providers(const SiteOptions& options, site::SearchIndex& index,
                                      const site::FileExtractor& extractor) {
  AnswerBoard::Providers providers;
  providers.push_back(std::make_unique<site::IndexProvider>(index));
  site::SearxngOptions searxng;
  searxng.address = options.searxng;
  providers.push_back(std::make_unique<site::SearxngProvider>(std::move(searxng), extractor));
  return providers;
}

}  // namespace

SiteService::SiteService(ServerContext& server_context, const SiteOptions& site_options)
    : context(server_context),
      options(site_options),
      store(options.conversations),
      extractor(Sandbox::detect(), options.extract_child),
      index(options.index, extractor),
      providers(make_providers(options, index, extractor)),
      metrics(std::make_shared<LiveMetrics>(server_context)),
      answers(server_context, store, providers, options.log) {
  store.set_quota(options.owner_bytes, std::string(kLocalOwner));
}

void SiteService::tick() {
  metrics->tick();
  const auto now = std::chrono::steady_clock::now();
  if (now < next_tidying_) return;
  next_tidying_ = now + kUnusedFileTime;
  try {
    store.remove_unused_files(site::now_ms() -
                              std::chrono::duration_cast<std::chrono::milliseconds>(kUnusedFileTime).count());
  } catch (const Error& error) {
    options.log(fmt::format("unused files stay: {}", error.what()));
  }
}

void SiteService::stop() {
  metrics->close();
  answers.stop_all();
  indexing_.stop();
}

void SiteService::refresh_later(const std::string& entry) {
  indexing_.add("", [this, entry](const std::stop_token& stop) {
    try {
      index.refresh(entry, [&](int64_t, int64_t, const std::string&) { return !stop.stop_requested(); });
    } catch (const std::exception& error) {  // removed meanwhile, or the disk is full
      options.log(fmt::format("index entry {}: {}", entry, error.what()));
    }
  });
}

SiteRoute plain_route(std::string method, std::string pattern, PlainSiteHandler handler) {
  return {std::move(method), std::move(pattern),
          [handler = std::move(handler)](SiteService& site, const SiteRequest& request,
                                         const std::shared_ptr<ResponseSink>& sink) {
            handler(site, request, *sink);
          }};
}

void reply(ResponseSink& sink, int status, const Json& json) {
  HttpResponse response = HttpResponse::json(status, to_text(json));
  response.headers.push_back({"Cache-Control", "no-store"});
  sink.respond(std::move(response));
}

void reply_nothing(ResponseSink& sink, std::vector<HttpHeader> headers) {
  sink.respond({204, std::move(headers), ""});
}

}  // namespace r1::server
