#include "server/http/http_body.h"

#include <algorithm>

#include "server/http/http_message.h"

namespace r1::server {
namespace {

constexpr int kMaxDigits = 16;  // of a chunk's size, leading zeros too

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

}  // namespace

void HttpBodyReader::take_size(char c) {
  const int digit = digit_of(c);
  if (digit >= 0) {
    if (++digits_ > kMaxDigits) return fail(400, "malformed body: a chunk's size has too many digits");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    if (left_ > limit_ - body_.size()) fail(413, "the body is too large");
    return;
  }
  // Extensions of a chunk have no use here and are known from smuggling.
  if (digits_ == 0 || c != '\r') return fail(400, "malformed body: a chunk's size is hexadecimal digits");
  part_ = Part::size_end;
}

void HttpBodyReader::end_of_size() {
  digits_ = 0;
  part_ = left_ == 0 ? Part::trailer : Part::data;
}

void HttpBodyReader::take_trailer(char c) {
  if (c == '\r') {
    part_ = Part::trailer_end;
    return;
  }
  if (trailer_room_ == 0) return fail(431, "the trailers are too long");
  --trailer_room_;
  if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f')
    return fail(400, "malformed body: control character in a trailer");
  line_ += c;
}

void HttpBodyReader::end_of_trailer() {
  part_ = line_.empty() ? Part::done : Part::trailer;
  if (line_.empty()) return;
  // A folded line begins with a space, which is no token.
  const std::string_view name = std::string_view(line_).substr(0, line_.find(':'));
  if (name.size() == line_.size() || !is_token(name)) return fail(400, "malformed body: malformed trailer");
  for (const char* framing : {"content-length", "transfer-encoding", "host"}) {
    if (equal_ignoring_case(name, framing)) return fail(400, "malformed body: a trailer that is a header");
  }
  line_.clear();
}

size_t HttpBodyReader::feed(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && !done() && !failed()) {
    if (part_ == Part::data) {
      const size_t piece = std::min<uint64_t>(left_, bytes.size() - used);
      body_ += bytes.substr(used, piece);
      used += piece;
      left_ -= piece;
      if (left_ == 0) part_ = chunked_ ? Part::data_cr : Part::done;
      continue;
    }
    const char c = bytes[used++];
    if (part_ == Part::size) {
      take_size(c);
    } else if (part_ == Part::trailer) {
      take_trailer(c);
    } else if (part_ == Part::data_cr) {
      if (c != '\r') return fail(400, "malformed body: a chunk is longer than its size"), used;
      part_ = Part::data_lf;
    } else if (c != '\n') {
      return fail(400, "malformed body: a bare CR"), used;
    } else if (part_ == Part::size_end) {
      end_of_size();
    } else if (part_ == Part::trailer_end) {
      end_of_trailer();
    } else {
      part_ = Part::size;
    }
  }
  return used;
}

}  // namespace r1::server
