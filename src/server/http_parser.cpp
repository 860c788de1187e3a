#include "server/http_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace r1::server {
namespace {

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Decimal or hexadecimal digits only, at most 15 of them. False: anything else.
bool parse_length(std::string_view text, int base, uint64_t& value) {
  value = 0;
  if (text.empty() || text.size() > 15) return false;
  for (const char c : text) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (base == 16 && c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) return false;
    value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
  }
  return true;
}

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

void HttpParser::fail(int status, std::string message) {
  state_ = State::failed;
  error_status_ = status;
  error_message_ = std::move(message);
}

bool HttpParser::take_expects_continue() {
  return std::exchange(expects_continue_, false);
}

HttpRequest HttpParser::take() {
  HttpRequest request = std::move(request_);
  *this = HttpParser(limits_);
  return request;
}

bool HttpParser::parse_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos || line.find(' ', second + 1) != line.npos) {
    fail(400, "malformed request line");
    return false;
  }
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method) || method.size() > 20) {
    fail(400, "malformed method");
    return false;
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    fail(version.starts_with("HTTP/") ? 505 : 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  version_1_0_ = version == "HTTP/1.0";
  request_.method = method;
  if (method == "OPTIONS" && target == "*") {
    request_.path = "/";
    return true;
  }
  const bool visible = std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  const size_t question = target.find('?');
  if (question != target.npos) {
    request_.query = target.substr(question + 1);
    target = target.substr(0, question);
  }
  if (!visible || !target.starts_with('/') || !percent_decode(target, false, request_.path) ||
      request_.path.find('\0') != std::string::npos || request_.path.find('\\') != std::string::npos ||
      has_dot_segment(request_.path)) {
    fail(400, "malformed request target");
    return false;
  }
  return true;
}

bool HttpParser::parse_header(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon))) {
    fail(400, "malformed header");
    return false;
  }
  const std::string_view value = trim(line.substr(colon + 1));
  const bool clean = std::ranges::all_of(
      value, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });
  if (!clean) {
    fail(400, "control character in a header");
    return false;
  }
  request_.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  return true;
}

bool HttpParser::choose_framing() {
  int hosts = 0, lengths = 0, encodings = 0;
  uint64_t length = 0;
  bool close = version_1_0_;
  for (const HttpHeader& header : request_.headers) {
    if (equal_ignoring_case(header.name, "host")) ++hosts;
    if (equal_ignoring_case(header.name, "content-length")) {
      ++lengths;
      if (!parse_length(header.value, 10, length)) {
        fail(400, "malformed Content-Length");
        return false;
      }
    }
    if (equal_ignoring_case(header.name, "transfer-encoding")) {
      ++encodings;
      if (!equal_ignoring_case(header.value, "chunked")) {
        fail(501, "Transfer-Encoding: only \"chunked\" is supported");
        return false;
      }
    }
    if (equal_ignoring_case(header.name, "content-encoding") &&
        !equal_ignoring_case(header.value, "identity")) {
      fail(415, "Content-Encoding: compressed bodies are not supported");
      return false;
    }
    if (equal_ignoring_case(header.name, "connection")) {
      if (equal_ignoring_case(header.value, "close")) close = true;
      if (equal_ignoring_case(header.value, "keep-alive")) close = false;
    }
    if (equal_ignoring_case(header.name, "expect")) {
      if (!equal_ignoring_case(header.value, "100-continue")) {
        fail(417, "Expect: only 100-continue is known");
        return false;
      }
      expects_continue_ = !version_1_0_;
    }
  }
  if (hosts > 1 || (hosts == 0 && !version_1_0_)) {
    fail(400, hosts == 0 ? "the Host header is missing" : "more than one Host header");
    return false;
  }
  if (lengths + encodings > 1) {
    fail(400, lengths > 0 && encodings > 0 ? "Content-Length beside Transfer-Encoding"
                                           : "more than one length of the body");
    return false;
  }
  if (encodings > 0 && version_1_0_) {
    fail(400, "Transfer-Encoding in HTTP/1.0");
    return false;
  }
  if (length > limits_.body_bytes) {
    fail(413, fmt::format("the body has {} bytes, {} are allowed", length, limits_.body_bytes));
    return false;
  }
  request_.keep_alive = !close;
  request_.chunked_answers = !version_1_0_;
  chunked_ = encodings > 0;
  body_left_ = length;
  const bool has_body = chunked_ || length > 0;
  if (!has_body) expects_continue_ = false;
  state_ = has_body ? State::body : State::complete;
  return true;
}

void HttpParser::parse_head(std::string_view head) {
  bool first = true;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.find_first_of("\r\n") != line.npos) return fail(400, "a bare CR or LF in the head");
    if (!(first ? parse_request_line(line) : parse_header(line))) return;
    first = false;
  }
  choose_framing();
}

size_t HttpParser::feed(std::string_view bytes) {
  size_t used = 0;
  if (state_ == State::head) {
    // A line break left over before the request line is passed over, as RFC 9112 asks.
    while (head_.empty() && used < bytes.size() && (bytes[used] == '\r' || bytes[used] == '\n')) {
      ++used;
      if (++trailer_bytes_ > 4) {
        fail(400, "line breaks instead of a request");
        return used;
      }
    }
    if (used == bytes.size()) return used;
    const size_t before = head_.size();
    const size_t room = limits_.head_bytes + 1 - std::min(before, limits_.head_bytes + 1);
    head_ += bytes.substr(used, room);
    const size_t from = before < 3 ? 0 : before - 3;
    const size_t end = head_.find("\r\n\r\n", from);
    if (end == std::string::npos) {
      // A bare LF would make a lenient reader see the end elsewhere; better to say so than to wait.
      for (size_t i = from; i < head_.size(); ++i) {
        if (head_[i] == '\n' && (i == 0 || head_[i - 1] != '\r')) {
          fail(400, "a bare LF in the head");
          return bytes.size();
        }
      }
      if (head_.size() > limits_.head_bytes) {
        fail(431, fmt::format("the headers have more than {} bytes", limits_.head_bytes));
      }
      return bytes.size();
    }
    if (end + 4 > limits_.head_bytes) {
      fail(431, fmt::format("the headers have more than {} bytes", limits_.head_bytes));
      return bytes.size();
    }
    used += end + 4 - before;
    head_.resize(end + 2);
    parse_head(head_);
    trailer_bytes_ = 0;
    if (state_ != State::body) return used;
  }
  if (state_ != State::body) return used;
  if (chunked_) return used + feed_chunked(bytes.substr(used));
  const size_t take = static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size() - used));
  request_.body.append(bytes.substr(used, take));
  body_left_ -= take;
  if (body_left_ == 0) state_ = State::complete;
  return used + take;
}

/// A complete line of the chunked framing, without its CR LF. False: it is not one.
bool HttpParser::on_chunk_line() {
  if (chunk_ == Chunk::data_end) {
    if (!line_.empty()) return false;
    chunk_ = Chunk::size;
  } else if (chunk_ == Chunk::trailer) {
    if (line_.empty()) state_ = State::complete;  // trailers themselves are dropped
  } else {
    // Extensions of a chunk have no use here and are known from smuggling: refused.
    if (!parse_length(line_, 16, body_left_)) return false;
    if (request_.body.size() + body_left_ > limits_.body_bytes) {
      fail(413, fmt::format("the body has more than {} bytes", limits_.body_bytes));
      return true;
    }
    chunk_ = body_left_ == 0 ? Chunk::trailer : Chunk::data;
  }
  line_.clear();
  return true;
}

size_t HttpParser::feed_chunked(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && state_ == State::body) {
    if (chunk_ == Chunk::data) {
      const size_t take = static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size() - used));
      request_.body.append(bytes.substr(used, take));
      used += take;
      body_left_ -= take;
      if (body_left_ == 0) chunk_ = Chunk::data_end;
      continue;
    }
    const char c = bytes[used++];
    const bool ends = c == '\n' && line_.ends_with('\r');
    if (chunk_ == Chunk::trailer && ++trailer_bytes_ > limits_.head_bytes) {
      fail(431, "the trailers are too long");
      return used;
    }
    if (ends) {
      line_.pop_back();
      if (line_.find('\r') == std::string::npos && on_chunk_line()) continue;
    } else if (c != '\n' && (line_.size() < 32 || chunk_ == Chunk::trailer)) {
      line_ += c;
      continue;
    }
    fail(400, "malformed chunk");
  }
  return used;
}

}  // namespace r1::server
