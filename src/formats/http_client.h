// A small blocking HTTP client over libcurl: what the hub client needs and no more.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace r1 {

struct HttpRequest {
  std::string url;                                 // http or https
  std::string bearer_token;                        // empty: none. Not sent to another host after a redirect.
  std::optional<uint64_t> range_begin, range_end;  // bytes [begin, end)
  /// Body bytes as they come; return false to stop (Error(cancelled)). Empty: collected in
  /// HttpResponse::body.
  std::function<bool(std::span<const char>)> on_data;
  uint64_t body_limit = 64U << 20U;  // for a collected body: more is an Error(network)
};

struct HttpResponse {
  int status = 0;
  std::string body;
};

/// Follows redirects (10 at most, http and https only), checks certificates, honours the usual proxy
/// variables. Gives up after 30 s without a connection or with less than 1 byte a second. One object a
/// thread.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Any status is a response; on_data gets the body of statuses 200 (whole file asked for) and 206 only.
  /// A 200 to a ranged request is returned without its body: the server does not do ranges.
  /// Throws Error(network) that names the URL when there is no complete response.
  HttpResponse get(const HttpRequest& request);

 private:
  void* handle_;
};

}  // namespace r1
