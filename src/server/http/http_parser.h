// Reads HTTP/1.1 requests from bytes, as they come: heads with Boost.Beast's parser behind a stricter door,
// bodies with http_body.h. Whatever two servers could understand in different ways is refused (RFC 9112;
// request smuggling), and every length is limited before memory is taken.
//
// Refused: lines that do not end in CR LF, folded headers, space before a header's colon, control characters,
// Content-Length beside Transfer-Encoding, differing or odd lengths, any transfer coding but "chunked",
// extensions of chunks, a missing or repeated Host, targets that are not a path.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/http_body.h"
#include "server/http/http_message.h"

namespace r1::server {

struct HttpLimits {
  size_t head_bytes = size_t{16} << 10;  // request line and headers
  size_t body_bytes = size_t{8} << 20;
  std::vector<std::string> upload_paths{};  // these take more:
  size_t upload_bytes = size_t{33} << 20;
};

/// One connection's requests, one after the other. One thread.
class HttpParser {
 public:
  enum class State { head, body, complete, failed };

  explicit HttpParser(const HttpLimits& limits) : limits_(limits) {}

  /// Takes bytes and returns how many were used: all of them, or those up to the end of the head or of the
  /// request.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }
  /// Whether anything of a request has been seen.
  bool started() const { return state_ != State::head || !held_.empty(); }
  /// The client waits for "100 Continue" before it sends the body. True once.
  bool take_expects_continue();

  /// State::body and State::complete: the request, without its body.
  const HttpRequest& head() const { return request_; }
  /// State::body: a smaller limit for this body. Fails with 413 where it is over.
  void limit_body(size_t bytes);

  /// Bytes of the body that have come.
  size_t body_bytes() const { return body_ ? body_->size() : 0; }

  /// State::complete: the request; the parser is ready for the next one.
  HttpRequest take();

  /// Lets go of what was read: nothing more will be.
  void drop() {
    held_ = {};
    body_.reset();
    state_ = State::failed;
  }

  // State::failed:
  int error_status() const { return error_status_; }
  const std::string& error_message() const { return error_message_; }

 private:
  class HeadParser;  // Beast's

  void fail(int status, std::string message);
  size_t feed_head(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  void read_head();
  bool read_target(std::string_view target);
  bool read_headers(const HeadParser& head);
  void begin_body();

  HttpLimits limits_;
  State state_ = State::head;
  std::string held_;  // the head, while it is not complete
  std::optional<HttpBodyReader> body_;
  HttpRequest request_;
  std::string authority_;  // of a target in absolute form, until the headers are read
  bool expects_continue_ = false;
  size_t line_breaks_ = 0;  // before the request line
  int error_status_ = 0;
  std::string error_message_;
};

}  // namespace r1::server
