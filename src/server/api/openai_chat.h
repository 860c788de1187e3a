// POST /v1/chat/completions, as OpenAI's API reference describes it, with DeepSeek's reasoning_content.
#pragma once

#include "server/api/server_context.h"
#include "server/http/router.h"

namespace r1::server {

void add_chat_routes(Router& router, ServerContext& context);

}  // namespace r1::server
