#include "server/content/page_fetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include "base/error.h"
#include "tests/server/content/local_web.h"

namespace r1::site {
namespace {

bool is_public(const char* text) {
  sockaddr_storage storage{};
  auto& four = reinterpret_cast<sockaddr_in&>(storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
  } else {
    ADD_FAILURE() << text;
  }
  return is_public_address(reinterpret_cast<const sockaddr&>(storage));
}

std::string failure(const PageFetcher& fetcher, const std::string& url) {
  try {
    fetcher.get(url, {"text/*"});
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << url << " was fetched";
  return "";
}

TEST(PageFetch, only_public_addresses_are_public) {
  for (const char* address :
       {"8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
        "169.253.1.1", "223.255.255.254", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"}) {
    EXPECT_TRUE(is_public(address)) << address;
  }
  for (const char* address : {"0.0.0.0",          "0.1.2.3",         "10.0.0.1",    "10.255.255.255",
                              "100.64.0.1",       "100.100.100.200", "127.0.0.1",   "127.255.255.254",
                              "168.63.129.16",    "169.254.169.254", "172.16.0.1",  "172.31.255.255",
                              "192.0.0.192",      "192.0.2.1",       "192.168.1.1", "198.18.0.1",
                              "198.51.100.7",     "203.0.113.9",     "224.0.0.1",   "239.255.255.255",
                              "240.0.0.1",        "255.255.255.255", "::",          "::1",
                              "::ffff:127.0.0.1", "::ffff:8.8.8.8",  "::127.0.0.1", "64:ff9b::7f00:1",
                              "fe80::1",          "fec0::1",         "fc00::1",     "fd00:ec2::254",
                              "ff02::1",          "2001:db8::1",     "2001::1",     "2002:7f00:1::1",
                              "3fff::1",          "100::1"}) {
    EXPECT_FALSE(is_public(address)) << address;
  }
}

TEST(PageFetch, reads_a_page_and_follows_redirects) {
  LocalWeb web([&](const std::string& path) {
    if (path == "/from") return LocalWeb::redirect("/to");
    return LocalWeb::page("text/html; charset=utf-8", "<p>" + path);
  });
  const FetchedPage page = PageFetcher({}, only_loopback).get(web.url("/from"), {"text/html"});
  EXPECT_EQ(page.body, "<p>/to");
  EXPECT_EQ(page.url, web.url("/to"));
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
}

TEST(PageFetch, this_machine_is_blocked_in_every_spelling) {
  LocalWeb web([](const std::string&) { return LocalWeb::page("text/plain", "secret"); });
  const std::string port = ":" + std::to_string(web.port) + "/";
  for (const std::string host : {"127.0.0.1", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1",
                                 "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]"}) {
    const std::string message = failure(PageFetcher(), "http://" + host + port);
    EXPECT_NE(message.find("which is not a public address"), std::string::npos) << host << ": " << message;
  }
  EXPECT_EQ(web.requests, 0);
}

TEST(PageFetch, a_redirect_to_a_blocked_address_is_blocked) {
  LocalWeb inner([](const std::string&) { return LocalWeb::page("text/plain", "secret"); });
  LocalWeb outer([&](const std::string& path) {
    if (path == "/file") return LocalWeb::redirect("file:///etc/passwd");
    if (path == "/loop") return LocalWeb::redirect("/loop");
    return LocalWeb::redirect(inner.url("/"));
  });
  // Stands for the public Internet: the outer server only.
  const AddressGuard guard = [&](const sockaddr& address) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port) == outer.port;
  };
  const PageFetcher fetcher({}, guard);
  EXPECT_NE(failure(fetcher, outer.url("/")).find("leads to 127.0.0.1, which is not a public address"),
            std::string::npos);
  EXPECT_EQ(inner.requests, 0);
  EXPECT_NE(failure(fetcher, outer.url("/file")).find("file"), std::string::npos);
  EXPECT_NE(failure(fetcher, outer.url("/loop")).find("redirects"), std::string::npos);
}

/// DNS rebinding: whatever a name resolved to before, the check is made on the address that is connected to.
TEST(PageFetch, each_connection_is_checked_again) {
  LocalWeb web([&](const std::string&) { return LocalWeb::redirect("/again"); });
  int asked = 0;
  const PageFetcher fetcher({}, [&](const sockaddr&) { return ++asked == 1; });
  EXPECT_NE(failure(fetcher, web.url("/")).find("not a public address"), std::string::npos);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(web.requests, 1);
}

TEST(PageFetch, limits) {
  LocalWeb web([](const std::string& path) -> std::string {
    if (path == "/long") return LocalWeb::page("text/plain", std::string(5000, 'x'));
    if (path == "/picture") return LocalWeb::page("image/png", "x");
    if (path == "/missing")
      return "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx";
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    return "";
  });
  FetchLimits limits;
  limits.body_bytes = 4096;
  limits.time = std::chrono::milliseconds(300);
  const PageFetcher fetcher(limits, only_loopback);
  EXPECT_NE(failure(fetcher, web.url("/long")).find("longer than 4096 bytes"), std::string::npos);
  EXPECT_NE(failure(fetcher, web.url("/picture")).find("'image/png' are not read"), std::string::npos);
  EXPECT_NE(failure(fetcher, web.url("/missing")).find("the address answered 404"), std::string::npos);
  EXPECT_NE(failure(fetcher, web.url("/slow")).find("timed out"), std::string::npos);
}

TEST(PageFetch, can_be_cancelled_while_nothing_comes) {
  std::promise<void> over;
  const std::shared_future<void> end = over.get_future().share();
  LocalWeb web([&](const std::string&) {
    end.wait();
    return LocalWeb::page("text/plain", "late");
  });
  std::atomic<bool> cancelled{false};
  const PageFetcher fetcher({int64_t{1} << 20, std::chrono::minutes(10), 5},
                            [](const sockaddr&) { return true; });
  std::thread canceller([&] { cancelled = true; });
  try {
    fetcher.get(web.url("/slow"), {"text/*"}, [&] { return cancelled.load(); });
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled) << error.what();
  }
  canceller.join();
  over.set_value();
}

TEST(PageFetch, only_http_addresses) {
  const PageFetcher fetcher;
  for (const char* url : {"file:///etc/passwd", "ftp://example.org/", "gopher://x/", "example.org", "",
                          "http://", "http:///x", "http://user:word@example.org/", "http://a b/",
                          "http://a\r\nHost: b/", "javascript:alert(1)", "dict://localhost:11211/"}) {
    EXPECT_FALSE(failure(fetcher, url).empty()) << url;
  }
}

}  // namespace
}  // namespace r1::site
