// POST /v1/embeddings, as OpenAI's API reference describes it.
#pragma once

#include "server/router.h"
#include "server/server_context.h"

namespace r1::server {

void add_embedding_routes(Router& router, ServerContext& context);

}  // namespace r1::server
