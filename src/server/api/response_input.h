// A request of OpenAI's Responses API in the words of the chat API, which everything behind it understands.
#pragma once

#include "server/api/json_fields.h"

namespace r1::server {

struct ResponseRequest {
  Json chat;  // the body of the chat request that asks for the same
  Json echo;  // the fields that the response repeats
};

/// Throws ApiError 400 that names the field.
ResponseRequest read_response_request(const Json& body);

}  // namespace r1::server
