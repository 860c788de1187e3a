// POST /v1/messages and /v1/messages/count_tokens, as Anthropic's API reference describes them.
#pragma once

#include "server/api/server_context.h"
#include "server/http/api_error.h"
#include "server/http/router.h"

namespace r1::server {

void add_anthropic_routes(Router& router, ServerContext& context);

/// Whether clients of this API ask the path, so that errors have its form.
bool is_anthropic_path(std::string_view path);

/// {"type": "error", "error": {"type", "message"}, "request_id"}
HttpResponse anthropic_error_response(const ApiError& error, const std::string& request_id);

}  // namespace r1::server
