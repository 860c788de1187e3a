#include "cli/terminal_text.h"

#include <fmt/format.h>

#include "text/unicode.h"

namespace r1::cli {
namespace {

bool turns_direction(uint32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

/// Of complete, valid UTF-8.
uint32_t code_point(std::string_view bytes) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if (bytes.size() == 1) return byte(0);
  uint32_t c = byte(0) & (0xffU >> (bytes.size() + 1));
  for (size_t i = 1; i < bytes.size(); ++i) c = c << 6 | (byte(i) & 0x3fU);
  return c;
}

}  // namespace

std::string terminal_text(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Prefix prefix = inspect_utf8(text.substr(at, 8));
    if (prefix.kind != Utf8Prefix::complete) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at++]));
      continue;
    }
    const std::string_view bytes = text.substr(at, prefix.length);
    const uint32_t c = code_point(bytes);
    if (c == '\t' || (c == '\n' && lines)) {
      out += bytes;
    } else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
      out += fmt::format("\\x{:02x}", c);
    } else if (turns_direction(c)) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += bytes;
    }
    at += prefix.length;
  }
  return out;
}

}  // namespace r1::cli
