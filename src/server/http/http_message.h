// HTTP requests and responses as plain values: what handlers see. No sockets, no Boost.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace r1::server {

struct HttpHeader {
  std::string name, value;
};

struct HttpRequest {
  std::string method;               // "GET"
  std::string path;                 // decoded ("%41" is "A"), begins with '/', never holds ".." segments
  std::string query;                // behind '?', as sent
  std::vector<HttpHeader> headers;  // in order, values trimmed
  std::string body;
  bool keep_alive = true;
  bool chunked_answers = true;  // false for HTTP/1.0
  std::string remote_address;
  std::string id;           // "req_…", also sent back as x-request-id
  std::string key_name;     // of the API key that was presented; empty: none was needed
  std::string path_rest{};  // what a route's "*" stands for
  std::shared_ptr<void>
      body_hold{};  // counts the body's memory for as long as a copy of the request is there

  /// Value of the first header of that name (in any case); empty when absent.
  std::string_view header(std::string_view name) const;
  /// Decoded value of a query parameter; empty when absent.
  std::string query_value(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpHeader> headers{};  // Content-Length, Date and Connection are added
  std::string body{};

  static HttpResponse json(int status, std::string body);
  static HttpResponse text(int status, std::string body);
};

std::string_view reason_phrase(int status);

enum class BodyFraming { length, chunked, until_close };

/// Status line and headers, with the blank line. Throws std::logic_error for a name or value that holds CR,
/// LF or NUL: such a header could smuggle another message.
std::string serialise_head(int status, const std::vector<HttpHeader>& headers, BodyFraming framing,
                           size_t body_bytes, bool keep_alive);

/// Decodes %XX (and '+' as a space where `plus` is set). False: malformed.
bool percent_decode(std::string_view text, bool plus, std::string& out);

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace r1::server
