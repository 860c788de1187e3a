// The chat site's files as they are sent.
#include "server/site/site_pages.h"

#include "tests/server/test_server.h"

namespace r1::server {
namespace {

using ::testing::HasSubstr;

// "hello\n", gzipped.
constexpr std::string_view kHello(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00"
    "\x00",
    26);
const SiteAsset kAssets[] = {{"/assets/a-1.js", "text/javascript", kHello, "\"1\"", true},
                             {"/index.html", "text/html; charset=utf-8", kHello, "\"2\"", false}};

HttpResponse get(const std::string& path, std::vector<HttpHeader> headers = {}) {
  Router router;
  add_site_pages(router, kAssets);
  HttpRequest request;
  request.path = path;
  request.headers = std::move(headers);
  std::string rest, allowed;
  const Route* route = router.find("GET", path, rest, allowed);
  if (route == nullptr) return {404};
  const auto sink = std::make_shared<test::RecordingSink>();
  route->handler(request, sink);
  return sink->wait();
}

std::string header(const HttpResponse& response, const std::string& name) {
  for (const HttpHeader& one : response.headers) {
    if (one.name == name) return one.value;
  }
  return "";
}

TEST(SitePages, AreSentGzippedOrInflatedWithAStrictPolicy) {
  const HttpResponse gzipped = get("/assets/a-1.js", {{"Accept-Encoding", "deflate, gzip;q=0.8"}});
  EXPECT_EQ(gzipped.body, kHello);
  EXPECT_EQ(header(gzipped, "Content-Encoding"), "gzip");
  EXPECT_THAT(header(gzipped, "Cache-Control"), HasSubstr("immutable"));
  EXPECT_THAT(header(gzipped, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(header(gzipped, "X-Content-Type-Options"), "nosniff");
  const HttpResponse plain = get("/", {{"Accept-Encoding", "gzip;q=0, br"}});
  EXPECT_EQ(plain.body, "hello\n");
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_EQ(header(plain, "Cache-Control"), "no-cache");
}

TEST(SitePages, AreNotSentAgain) {
  EXPECT_EQ(get("/", {{"If-None-Match", "W/\"2\""}}).status, 304);
  EXPECT_EQ(get("/", {{"If-None-Match", "\"1\""}}).status, 200);
}

TEST(SitePages, ThePagesOwnPathsAreTheIndex) {
  for (const char* path : {"/", "/c/123", "/library", "/live"}) EXPECT_EQ(get(path).status, 200) << path;
  for (const char* path : {"/library/x", "/assets/", "/assets/b.js", "/other"})
    EXPECT_EQ(get(path).status, 404) << path;
}

}  // namespace
}  // namespace r1::server
