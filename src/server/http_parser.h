// Reads HTTP/1.1 requests from bytes, as they come. Strict: whatever two servers could understand in
// different ways is refused (RFC 9112; request smuggling), and every length is limited before memory is
// taken.
//
// Refused: lines that do not end in CR LF, folded headers, space before a header's colon, control characters,
// Content-Length beside Transfer-Encoding, differing or odd lengths, any transfer coding but "chunked", a
// missing or repeated Host, targets that are not a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace r1::server {

struct HttpLimits {
  size_t head_bytes = size_t{16} << 10;  // request line and headers
  size_t body_bytes = size_t{8} << 20;
};

/// One connection's requests, one after the other. One thread.
class HttpParser {
 public:
  enum class State { head, body, complete, failed };

  explicit HttpParser(const HttpLimits& limits) : limits_(limits) {}

  /// Takes bytes and returns how many were used: all of them, or those up to the end of the request.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }
  /// Whether anything of a request has been seen.
  bool started() const { return state_ != State::head || !head_.empty(); }
  /// The client waits for "100 Continue" before it sends the body. True once.
  bool take_expects_continue();

  /// State::complete: the request; the parser is ready for the next one.
  HttpRequest take();

  // State::failed:
  int error_status() const { return error_status_; }
  const std::string& error_message() const { return error_message_; }

 private:
  void fail(int status, std::string message);
  void parse_head(std::string_view head);
  bool parse_request_line(std::string_view line);
  bool parse_header(std::string_view line);
  bool choose_framing();
  size_t feed_chunked(std::string_view bytes);
  bool on_chunk_line();

  HttpLimits limits_;
  State state_ = State::head;
  std::string head_;  // bytes of the head so far
  HttpRequest request_;
  bool version_1_0_ = false;
  bool expects_continue_ = false;
  bool chunked_ = false;
  uint64_t body_left_ = 0;  // of the body, or of the chunk
  enum class Chunk { size, data, data_end, trailer } chunk_ = Chunk::size;
  std::string line_;          // a chunk's size line or a trailer, so far
  size_t trailer_bytes_ = 0;  // trailers count against the limit of the head
  int error_status_ = 0;
  std::string error_message_;
};

}  // namespace r1::server
