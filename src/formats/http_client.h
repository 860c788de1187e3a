// A small blocking HTTP client over libcurl: for hubs, and for endpoints that answer questions.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace r1 {

struct HttpRequest {
  std::string url;                                 // http or https
  std::string bearer_token;                        // empty: none. Not sent to another host after a redirect.
  std::optional<uint64_t> range_begin, range_end;  // bytes [begin, end)
  std::optional<std::string> json_body;            // POST this; absent: GET. A POST is not redirected.
  /// Body bytes as they come; return false to stop (Error(cancelled)). Empty: collected in
  /// HttpResponse::body.
  std::function<bool(std::span<const char>)> on_data;
  uint64_t body_limit = 64U << 20U;  // for a collected body: more is an Error(network)
  std::chrono::seconds silence{30};  // gives up after so long without a byte
  std::chrono::seconds time{0};      // for the whole exchange; 0: no limit
  /// Asked about once a second; true: Error(cancelled).
  std::function<bool()> cancelled{};
};

struct HttpResponse {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // of the last answer; names in lower case

  /// Empty: there is none.
  std::string_view header(std::string_view name) const;
};

/// Follows redirects (10 at most, http and https only), checks certificates, honours the usual proxy
/// variables. Gives up after 30 s without a connection. One object a thread.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// GET, or POST of a json_body. Any status is a response; on_data gets the body of statuses 200 (whole file asked for) and 206 only.
  /// A 200 to a ranged request is returned without its body: the server does not do ranges.
  /// Throws Error(network) that names the URL when there is no complete response.
  HttpResponse send(const HttpRequest& request);

 private:
  void* handle_;
};

}  // namespace r1
