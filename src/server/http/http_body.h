// Reads a request's body, of a known length or in chunks (RFC 9112, 6 and 7.1), strictly: whatever another
// server could read differently is refused. Trailers are checked and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace r1::server {

/// One body. One thread.
class HttpBodyReader {
 public:
  /// `length`: of Content-Length, at most `limit`.
  static HttpBodyReader of_length(uint64_t length) {
    return HttpBodyReader(length == 0 ? Part::done : Part::data, length, length, false);
  }
  /// The chunks together have at most `limit` bytes, the trailers at most `trailer_bytes`.
  static HttpBodyReader of_chunks(uint64_t limit, size_t trailer_bytes) {
    HttpBodyReader reader(Part::size, limit, 0, true);
    reader.trailer_room_ = trailer_bytes;
    return reader;
  }

  /// Lowers the limit. False: the length that was announced, or what has come, is over it.
  bool limit(uint64_t bytes) {
    if (bytes >= limit_) return true;
    if (!chunked_ || body_.size() > bytes) return false;
    limit_ = bytes;
    return true;
  }

  /// Returns how many bytes were used: all of them, unless the body has ended or has failed.
  size_t feed(std::string_view bytes);
  bool done() const { return part_ == Part::done; }
  bool failed() const { return error_status_ != 0; }
  size_t size() const { return body_.size(); }
  std::string take() { return std::move(body_); }

  // When it has failed:
  int error_status() const { return error_status_; }
  const char* error_message() const { return error_message_; }

 private:
  enum class Part { size, size_end, data, data_cr, data_lf, trailer, trailer_end, done };

  HttpBodyReader(Part part, uint64_t limit, uint64_t left, bool chunked)
      : part_(part), limit_(limit), left_(left), chunked_(chunked) {}
  void fail(int status, const char* message) {
    error_status_ = status;
    error_message_ = message;
  }
  void take_size(char c);
  void take_trailer(char c);
  void end_of_size();
  void end_of_trailer();

  Part part_;
  uint64_t limit_;
  uint64_t left_;  // of the chunk, or of the body
  bool chunked_;
  int digits_ = 0;
  size_t trailer_room_ = 0;
  std::string line_;  // of the trailers
  std::string body_;
  int error_status_ = 0;
  const char* error_message_ = "";
};

}  // namespace r1::server
