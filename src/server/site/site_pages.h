// The chat site's files: built into the program, sent with a strict policy.
#pragma once

#include <span>
#include <string_view>

#include "server/http/router.h"
#include "server/site/site_assets.h"

namespace r1::server {

/// GET of every file, of "/" and of the page's own paths. `assets` must outlive the router; when it is empty,
/// "/" says why.
void add_site_pages(Router& router, std::span<const SiteAsset> assets);

/// The same files for the page of a run ("/training.html"), which "/" then is.
void add_run_page_assets(Router& router, std::string_view page, std::span<const SiteAsset> assets);

}  // namespace r1::server
