#include "server/http/http_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <utility>

namespace r1::server {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

/// What a lenient reader could take for the end of a line, or a line for a part of the one before it. The
/// bytes may end in the middle of a line break.
const char* ambiguous_line(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return "a bare LF in the head";
    if (head[i] == '\r' && i + 1 < head.size() && head[i + 1] != '\n') return "a bare CR in the head";
    if ((head[i] == ' ' || head[i] == '\t') && i > 0 && head[i - 1] == '\n') return "a folded header";
  }
  return nullptr;
}

bool is_clean(std::string_view value) {
  return std::ranges::all_of(
      value, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });
}

std::string_view text(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

int status_of(const error_code& error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::bad_version) return 505;
  return 400;
}

}  // namespace

class HttpParser::HeadParser : public http::request_parser<http::empty_body> {};

void HttpParser::fail(int status, std::string message) {
  state_ = State::failed;
  error_status_ = status;
  error_message_ = std::move(message);
}

bool HttpParser::take_expects_continue() {
  return std::exchange(expects_continue_, false);
}

HttpRequest HttpParser::take() {
  if (body_) request_.body = body_->take();
  HttpRequest request = std::exchange(request_, {});
  body_.reset();
  held_.clear();
  state_ = State::head;
  expects_continue_ = false;
  line_breaks_ = 0;
  return request;
}

bool HttpParser::read_target(std::string_view target) {
  if (request_.method == "OPTIONS" && target == "*") {
    request_.path = "/";
    return true;
  }
  const bool visible = std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  // RFC 9112 3.2.2: a server accepts the absolute form, whose authority counts instead of the Host header.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    authority_ = target.substr(0, end);
    target.remove_prefix(end);
    if (authority_.empty() || authority_.find('@') != std::string::npos) {
      fail(400, "malformed request target");
      return false;
    }
    break;
  }
  std::string with_root;  // an authority alone, or with a query
  if (!authority_.empty() && !target.starts_with('/')) {
    with_root = "/" + std::string(target);
    target = with_root;
  }
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

// What Beast reads in its own way, or does not mind, is held against the stricter rules here.
bool HttpParser::read_headers(const HeadParser& head) {
  const auto& message = head.get();
  int hosts = 0, lengths = 0, encodings = 0;
  for (const auto& field : message) {
    const std::string_view value = text(field.value());
    if (!is_clean(value)) {
      fail(400, "control character in a header");
      return false;
    }
    if (field.name() == http::field::host) ++hosts;
    if (field.name() == http::field::content_length) {
      ++lengths;
      if (value.empty() || !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
        fail(400, "malformed Content-Length");
        return false;
      }
    }
    if (field.name() == http::field::transfer_encoding) {
      ++encodings;
      if (!equal_ignoring_case(value, "chunked")) {
        fail(501, "Transfer-Encoding: only \"chunked\" is supported");
        return false;
      }
    }
    if (field.name() == http::field::content_encoding && !equal_ignoring_case(value, "identity")) {
      fail(415, "Content-Encoding: compressed bodies are not supported");
      return false;
    }
    if (field.name() == http::field::expect) {
      if (!equal_ignoring_case(value, "100-continue")) {
        fail(417, "Expect: only 100-continue is known");
        return false;
      }
      expects_continue_ = message.version() == 11;
    }
    request_.headers.push_back({std::string(text(field.name_string())), std::string(value)});
  }
  if (!authority_.empty()) {
    for (HttpHeader& header : request_.headers) {
      if (equal_ignoring_case(header.name, "host")) header.value = authority_;
    }
    if (hosts == 0) request_.headers.push_back({"Host", authority_});
    authority_.clear();
  }
  if (hosts > 1 || (hosts == 0 && message.version() == 11)) {
    fail(400, hosts == 0 ? "the Host header is missing" : "more than one Host header");
    return false;
  }
  if (lengths + encodings > 1) {
    fail(400, lengths > 0 && encodings > 0 ? "Content-Length beside Transfer-Encoding"
                                           : "more than one length of the body");
    return false;
  }
  if (encodings > 0 && message.version() == 10) {
    fail(400, "Transfer-Encoding in HTTP/1.0");
    return false;
  }
  return true;
}

// held_ is a whole head.
void HttpParser::read_head() {
  HeadParser head;
  head.header_limit(static_cast<uint32_t>(limits_.head_bytes));
  head.skip(true);  // the body is not Beast's
  error_code error;
  head.put(boost::asio::buffer(held_), error);
  held_.clear();
  if (error) return fail(status_of(error), "malformed request: " + error.message());
  const auto& message = head.get();
  if (message.version() != 10 && message.version() != 11) {
    return fail(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  }
  request_.method = text(message.method_string());
  if (!read_target(text(message.target())) || !read_headers(head)) return;
  request_.keep_alive = message.keep_alive();
  request_.chunked_answers = message.version() == 11;
  begin_body();
}

void HttpParser::begin_body() {
  const bool upload = std::ranges::find(limits_.upload_paths, request_.path) != limits_.upload_paths.end();
  const size_t limit = upload ? limits_.upload_bytes : limits_.body_bytes;
  if (!request_.header("transfer-encoding").empty()) {
    body_ = HttpBodyReader::of_chunks(limit, limits_.head_bytes);
  } else {
    const std::string_view length = request_.header("content-length");  // digits, if anything
    uint64_t bytes = 0;
    const auto [end, problem] = std::from_chars(length.data(), length.data() + length.size(), bytes);
    if (!length.empty() && problem != std::errc()) return fail(400, "malformed Content-Length");
    if (bytes > limit) return fail(413, fmt::format("the body has more than {} bytes", limit));
    body_ = HttpBodyReader::of_length(bytes);
  }
  state_ = body_->done() ? State::complete : State::body;
  if (state_ == State::complete) expects_continue_ = false;
}

void HttpParser::limit_body(size_t bytes) {
  if (state_ == State::body && !body_->limit(bytes))
    fail(413, fmt::format("the body has more than {} bytes", bytes));
}

size_t HttpParser::feed_head(std::string_view bytes) {
  size_t used = 0;
  // A line break left over before the request line is passed over, as RFC 9112 asks.
  while (held_.empty() && used < bytes.size() && (bytes[used] == '\r' || bytes[used] == '\n')) {
    ++used;
    if (++line_breaks_ > 4) {
      fail(400, "line breaks instead of a request");
      return used;
    }
  }
  const size_t before = held_.size();
  const size_t room = limits_.head_bytes + 1 - std::min(before, limits_.head_bytes + 1);
  held_ += bytes.substr(used, room);
  const size_t end = held_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  const size_t head_bytes = end == std::string::npos ? held_.size() : end + 4;
  // Said at once rather than when the head is complete: where it ends is what is in doubt.
  if (const char* reason = ambiguous_line(std::string_view(held_).substr(0, head_bytes))) {
    fail(400, reason);
    return bytes.size();
  }
  if (head_bytes > limits_.head_bytes) {
    fail(431, fmt::format("the headers have more than {} bytes", limits_.head_bytes));
    return bytes.size();
  }
  if (end == std::string::npos) return bytes.size();
  used += head_bytes - before;
  held_.resize(head_bytes);
  read_head();
  return used;
}

size_t HttpParser::feed_body(std::string_view bytes) {
  const size_t used = body_->feed(bytes);
  if (body_->failed()) fail(body_->error_status(), body_->error_message());
  if (body_->done()) state_ = State::complete;
  return used;
}

size_t HttpParser::feed(std::string_view bytes) {
  // A head alone first: whoever reads it may refuse the body.
  if (state_ == State::head) return feed_head(bytes);
  return state_ == State::body ? feed_body(bytes) : 0;
}

}  // namespace r1::server
