// The chat site's errors with the codes that its page knows (docs/site-api.md, "Conventions").
#pragma once

#include "server/http/api_error.h"

namespace r1::server {

/// SiteError and the lower floors' Error.
ApiError site_error(const Error& error);
/// One of the API's, under the site's codes.
ApiError site_error(ApiError error);

}  // namespace r1::server
