// POST /v1/chat/completions, as OpenAI's API reference describes it, with DeepSeek's reasoning_content.
#pragma once

#include "server/router.h"
#include "server/server_context.h"

namespace r1::server {

void add_chat_routes(Router& router, ServerContext& context);

}  // namespace r1::server
