// The paths about models and the server itself: /v1/models, /tokenize, /detokenize, /apply-template, /health,
// /version, /metrics, "answer now", and coming back to a stream.
#pragma once

#include "server/api/server_context.h"
#include "server/http/router.h"

namespace r1::server {

void add_model_routes(Router& router, ServerContext& context);

}  // namespace r1::server
