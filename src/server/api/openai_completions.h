// POST /v1/completions: continues texts as they are.
#pragma once

#include "server/api/server_context.h"
#include "server/http/router.h"

namespace r1::server {

void add_completion_routes(Router& router, ServerContext& context);

}  // namespace r1::server
