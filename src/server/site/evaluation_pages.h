// The reports that `r1 eval` wrote into a folder, for the operator's browser.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "server/access/authenticator.h"
#include "server/http/router.h"

namespace r1::server {

/// Paths of report.html and comparison.html below `folder`, relative to it with '/', sorted; folders that are links, hidden or more
/// than four deep are left out, and all behind the first 10,000 entries.
std::vector<std::string> evaluation_reports(const std::filesystem::path& folder);

/// GET /evaluations: the list; /evaluations/PATH: one of its pages. For those who use the server without a key or with that of the
/// command line (the site's session, or the key itself). `authenticator` must outlive the router.
/// A page runs in a sandbox of its own origin that loads nothing: a report is a file, and files can be anybody's.
void add_evaluation_pages(Router& router, const Authenticator& authenticator,
                          const std::filesystem::path& folder);

}  // namespace r1::server
