#include "server/site/site_pages.h"

#include <zlib.h>

#include <algorithm>

#include "base/error.h"

namespace r1::server {
namespace {

bool accepts_gzip(const HttpRequest& request) {
  std::string_view rest = request.header("accept-encoding");
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    while (item.starts_with(' ')) item.remove_prefix(1);
    std::string_view name = item.substr(0, item.find(';'));
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (equal_ignoring_case(name, "gzip"))
      return item.find("q=0") == item.npos || item.find("q=0.") != item.npos;
  }
  return false;
}

std::string inflate_gzip(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw_error(ErrorKind::out_of_memory, "zlib: no memory");
  std::string out;
  char buffer[16384];
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END) throw_error(ErrorKind::bad_file, "a file of the chat site is damaged");
  return out;
}

bool names_etag(std::string_view list, std::string_view etag) {
  if (list == "*") return true;
  // Weak or strong: the bytes of a file are the same either way.
  return list.find(etag) != list.npos;
}

void send_asset(const SiteAsset& asset, const HttpRequest& request, ResponseSink& sink) {
  HttpResponse response;
  response.headers = {{"Content-Type", std::string(asset.mime_type)},
                      {"ETag", std::string(asset.etag)},
                      {"Cache-Control", asset.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
                      {"Vary", "Accept-Encoding"},
                      {"Content-Security-Policy", std::string(site_content_security_policy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"}};
  if (names_etag(request.header("if-none-match"), asset.etag) && !request.header("if-none-match").empty()) {
    response.status = 304;
  } else if (accepts_gzip(request)) {
    response.headers.push_back({"Content-Encoding", "gzip"});
    response.body = asset.gzip_bytes;
  } else {
    response.body = inflate_gzip(asset.gzip_bytes);
  }
  sink.respond(std::move(response));
}

// Pages of runs, which servers of their own show.
constexpr std::string_view kRunPages[] = {"/training.html", "/evaluation.html"};

void add_asset(Router& router, std::string path, const SiteAsset& asset) {
  router.add({"GET", std::move(path),
              [&asset](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
                send_asset(asset, request, *sink);
              },
              true, true});
}

void add_absent_page(Router& router, const std::string& text) {
  router.add({"GET", "/",
              [text](const HttpRequest&, const std::shared_ptr<ResponseSink>& sink) {
                sink->respond(HttpResponse::text(404, text));
              },
              true, true});
}

}  // namespace

void add_site_pages(Router& router, std::span<const SiteAsset> assets) {
  for (const SiteAsset& asset : assets) {
    if (std::ranges::find(kRunPages, asset.path) != std::end(kRunPages)) continue;
    add_asset(router, std::string(asset.path), asset);
    if (asset.path != "/index.html") continue;
    add_asset(router, "/", asset);
    for (const std::string_view page : site_page_paths)
      add_asset(router, page.ends_with('/') ? std::string(page) + "*" : std::string(page), asset);
  }
  if (!assets.empty()) return;
  add_absent_page(router, fmt::format("There is no chat site here: {}. The API is at /v1 (docs/api.md).\n",
                                      site_assets_absent_reason()));
}

void add_run_page_assets(Router& router, std::string_view page, std::span<const SiteAsset> assets) {
  for (const SiteAsset& asset : assets) {
    if (asset.path.starts_with("/assets/") || asset.path == "/favicon.svg")
      add_asset(router, std::string(asset.path), asset);
    if (asset.path == page) add_asset(router, "/", asset);
  }
  if (!assets.empty()) return;
  add_absent_page(router, fmt::format("There is no page here: {}. The run's folder has its files.\n",
                                      site_assets_absent_reason()));
}

}  // namespace r1::server
