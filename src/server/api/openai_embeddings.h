// POST /v1/embeddings, as OpenAI's API reference describes it.
#pragma once

#include "server/api/server_context.h"
#include "server/http/router.h"

namespace r1::server {

void add_embedding_routes(Router& router, ServerContext& context);

}  // namespace r1::server
