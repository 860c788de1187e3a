#include "text/incremental_decoder.h"

#include "text/unicode.h"

namespace r1 {

std::string IncrementalDecoder::push(int32_t id) {
  if (id >= tokenizer_.size()) {
    return {};  // a model may have more rows than its tokenizer has tokens
  }
  const std::string_view bytes = tokenizer_.token_bytes(id);
  return skip_special_ && tokenizer_.is_special(id) ? std::string() : push_bytes(bytes);
}

std::string IncrementalDecoder::push_bytes(std::string_view bytes) {
  pending_ += bytes;
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Prefix prefix = inspect_utf8(rest);
    if (prefix.kind == Utf8Prefix::incomplete) {
      break;
    }
    if (prefix.kind == Utf8Prefix::complete) {
      out += rest.substr(0, prefix.length);
    } else {
      out += "\xef\xbf\xbd";
    }
    rest.remove_prefix(prefix.length);
  }
  pending_ = std::string(rest);
  return out;
}

std::string IncrementalDecoder::finish() {
  std::string out = pending_.empty() ? "" : "\xef\xbf\xbd";
  pending_.clear();
  return out;
}

}  // namespace r1
