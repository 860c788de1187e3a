// What a request may hold besides the fields that its endpoint reads: one table for all endpoints. The rule
// (docs/api.md, "Unknown fields"): what would change the answer is refused by name, what only hints at how to make it is
// taken and has no effect, and everything else is not known.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

namespace r1::server {

/// The objects of requests that have rules of their own, as bits. `none`: every field that is not read is unknown.
enum class RequestObject : uint32_t {
  none = 0,
  chat = 1 << 0,            // the body of /v1/chat/completions
  completion = 1 << 1,      // … of /v1/completions
  response = 1 << 2,        // … of /v1/responses
  messages = 1 << 3,        // … of /v1/messages
  embedding = 1 << 4,       // … of /v1/embeddings
  tokens = 1 << 5,          // … of /tokenize, /detokenize, /apply-template
  stream_options = 1 << 6,  // of chats, completions and responses
  schema_format = 1 << 7,   // response_format.json_schema, and the same in text.format
  tool = 1 << 8,            // an entry of tools, and its function
  thinking = 1 << 9,        // thinking, of chats and messages
  reasoning = 1 << 10,      // reasoning, of responses
  response_text = 1 << 11,  // text, of responses
  response_item = 1 << 12,  // an entry of input, of responses
  output_config = 1 << 13,  // of messages
  history = 1 << 14,        // a message of a conversation, a part or block of its content, a call of it
};

struct FieldRule {
  uint32_t objects;  // where it applies: RequestObject bits
  std::string_view name;
  std::string_view reason = {};   // why it is refused; empty: it is a hint, which is taken whatever its value
  std::string_view neutral = {};  // JSON: this value is taken besides null, false, "" and []
};

/// All of them; tests hold docs/api.md against it.
std::span<const FieldRule> field_rules();

/// The rule of a field; null: there is none.
const FieldRule* find_rule(RequestObject object, std::string_view name);

/// Whether the value asks for nothing, so that a field that is not supported may have it.
bool is_neutral(const FieldRule& rule, const nlohmann::ordered_json& value);

}  // namespace r1::server
