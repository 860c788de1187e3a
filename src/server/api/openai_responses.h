// POST /v1/responses, as OpenAI's API reference describes it, without what is stored on a server.
#pragma once

#include "server/api/server_context.h"
#include "server/http/router.h"

namespace r1::server {

void add_response_routes(Router& router, ServerContext& context);

}  // namespace r1::server
