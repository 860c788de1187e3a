// However a stream is cut into pieces, the parser must report the same; raw() must be the stream; and every
// byte must come out unless a rule drops it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "text/stream_parser.h"

namespace {

struct Piece {
  std::optional<int32_t> id;
  std::string text;
};

constexpr const char* kMarkers[] = {"<think>",
                                    "</think>",
                                    "<｜tool▁calls▁begin｜>",
                                    "<｜tool▁call▁begin｜>",
                                    "<｜tool▁sep｜>",
                                    "<｜tool▁call▁end｜>",
                                    "<｜tool▁calls▁end｜>",
                                    "<tool_call>",
                                    "</tool_call>",
                                    "{\"name\": \"f\", \"arguments\": {}}",
                                    "function",
                                    "f\n```json\n{}\n```"};

// Neighbouring texts of one kind are joined: only their borders may depend on the pieces.
std::string run(const std::vector<Piece>& pieces, const r1::StreamParserOptions& options) {
  r1::StreamParser parser(options);
  std::vector<r1::StreamEvent> events;
  std::string raw;
  for (const Piece& piece : pieces) {
    parser.feed(piece.id, piece.text, events);
    raw += piece.text;
  }
  parser.finish(events);
  if (parser.raw() != raw) std::abort();
  std::string out;
  int last = -1;
  for (const r1::StreamEvent& event : events) {
    const int type = static_cast<int>(event.type);
    const bool text =
        event.type == r1::StreamEvent::Type::reasoning || event.type == r1::StreamEvent::Type::answer;
    if (!text || type != last) out += "\n#" + std::to_string(type) + ":";
    out += event.text + event.call.name + event.call.arguments;
    last = type;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  r1::StreamParserOptions options;
  options.start.state = data[0] & 1 ? r1::StreamState::reasoning : r1::StreamState::answer;
  options.start.newline_given = data[0] & 2;
  options.tool_calls = data[0] & 4;
  if (data[0] & 8) options.think_begin.id = 0, options.think_end.id = 1;
  if (data[0] & 16) {
    options.calls_begin.id = 2, options.call_begin.id = 3, options.call_separator.id = 4;
    options.call_end.id = 5, options.calls_end.id = 6;
  }
  if (data[0] & 32) options.json_call_begin.id = 7, options.json_call_end.id = 8;

  // Bytes from 0xE0 write a marker or a part of a call; all others are text.
  std::vector<Piece> tokens;
  for (std::size_t i = 2; i < size; ++i) {
    if (data[i] >= 0xE0 && data[i] < 0xE0 + std::size(kMarkers)) {
      tokens.push_back({data[i] - 0xE0, kMarkers[data[i] - 0xE0]});
    } else {
      tokens.push_back({std::nullopt, std::string(1, static_cast<char>(data[i]))});
    }
  }
  const std::string expected = run(tokens, options);

  // The same stream with the text cut elsewhere; tokens that are markers stay whole.
  const auto is_marker = [&](const Piece& piece) {
    const std::optional<int32_t> ids[] = {
        options.think_begin.id, options.think_end.id,       options.calls_begin.id,
        options.call_begin.id,  options.call_separator.id,  options.call_end.id,
        options.calls_end.id,   options.json_call_begin.id, options.json_call_end.id};
    for (const auto& id : ids)
      if (piece.id && id == piece.id && (options.tool_calls || *piece.id < 2)) return true;
    return false;
  };
  std::vector<Piece> joined, bytes;
  std::uint32_t random = data[1] + 1u;
  for (const Piece& token : tokens) {
    if (is_marker(token)) {
      joined.push_back(token);
      bytes.push_back(token);
      continue;
    }
    random = random * 1664525u + 1013904223u;
    if (!joined.empty() && !joined.back().id && random >> 30) {
      joined.back().text += token.text;
    } else {
      joined.push_back({std::nullopt, token.text});
    }
    for (const char c : token.text) bytes.push_back({std::nullopt, std::string(1, c)});
  }
  if (run(joined, options) != expected || run(bytes, options) != expected) std::abort();
  return 0;
}
