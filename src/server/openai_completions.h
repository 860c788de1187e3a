// POST /v1/completions: continues texts as they are.
#pragma once

#include "server/router.h"
#include "server/server_context.h"

namespace r1::server {

void add_completion_routes(Router& router, ServerContext& context);

}  // namespace r1::server
