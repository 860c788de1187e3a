// The boundary to the network: bytes to requests, bodies to JSON fields. However the bytes are cut, the
// outcome is the same; what is accepted has lengths within the limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/api/json_fields.h"
#include "server/http/http_parser.h"

namespace {

std::string run(std::string_view bytes, size_t piece) {
  const r1::server::HttpLimits limits{1024, 4096};
  r1::server::HttpParser parser(limits);
  std::string out;
  while (!bytes.empty()) {
    const size_t used = parser.feed(bytes.substr(0, piece));
    bytes.remove_prefix(used);
    if (parser.state() == r1::server::HttpParser::State::failed) return out + "refused";
    if (parser.state() == r1::server::HttpParser::State::complete) {
      const r1::server::HttpRequest request = parser.take();
      if (request.body.size() > limits.body_bytes || !request.path.starts_with('/')) std::abort();
      out += request.method + " " + request.path + "?" + request.query + "\n";
      for (const auto& header : request.headers) out += header.name + ":" + header.value + "\n";
      out += request.body + "\n";
    } else if (used == 0) {
      std::abort();  // a parser that takes nothing would be asked for ever
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = run(bytes, bytes.size() + 1);
  if (run(bytes, 1) != whole || run(bytes, 7) != whole) std::abort();
  try {
    const r1::server::Json body = r1::server::parse_body(bytes);
    r1::server::JsonFields fields(body);
    fields.integer("max_tokens", 1, 1000);
    fields.number("temperature", 0, 2);
    fields.texts("stop", 4);
    fields.choice("type", {"a", "b"});
    fields.boolean("stream");
    fields.object("tools");
    fields.refuse_unknown();
  } catch (const r1::server::ApiError& error) {
    r1::server::error_response(error);
  }
  return 0;
}
