// What an OpenAI-compatible endpoint answers to POST chat/completions, streamed or whole, as a Generation.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/boxed_json.h"
#include "engine/generate.h"

namespace r1::eval {

/// One answer. Thinking comes apart (reasoning_content, or reasoning), or inline between <think> and </think>, whose first marker may
/// be part of the prompt.
class ChatReply {
 public:
  /// The next bytes of the body: events of a stream, or a JSON object.
  void add(std::string_view bytes);
  /// After the last byte. Throws Error(network) for a reply that is not complete or reports an error; the caller names the
  /// endpoint.
  Generation finish();

 private:
  void take_event(std::string_view data);
  void take_choice(const nlohmann::json& choice, const char* texts);
  void take_usage(const nlohmann::json& reply);

  std::string buffer_;  // an unfinished line, or the whole JSON object
  bool streamed_ = false;
  std::string reasoning_, content_;
  std::string finish_reason_, stop_reason_, error_;
  int64_t tokens_ = 0, reasoning_tokens_ = 0;
};

/// The message of an error reply's body, of whatever form; empty: it has none.
std::string error_message(std::string_view body);

}  // namespace r1::eval
