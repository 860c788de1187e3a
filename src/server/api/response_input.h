// A request of the Responses API as a chat: its items become messages.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/http/api_error.h"
#include "text/chat_template.h"

namespace r1::server {

struct ResponseRequest {
  std::vector<ChatMessage> messages;
  Json chat;               // the other fields, as /v1/chat/completions names them
  Json echo;               // what the response repeats of the request
  bool keep_items = true;  // `store` is not false: later requests may refer to the output's items
};

/// Finds an item of an earlier response by its id; null: it is not kept.
using FindItem = std::function<Json(const std::string& id)>;

/// Throws ApiError 400 by name for what is not known or would have to be stored.
ResponseRequest read_response_request(const Json& body, const FindItem& find_item);

}  // namespace r1::server
