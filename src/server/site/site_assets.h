// The chat site's files, built from web/ by npm and compiled in (cmake/web_assets.cmake writes the
// definitions).
#pragma once

#include <span>
#include <string_view>

namespace r1 {

struct SiteAsset {
  std::string_view path;        // as in the request, from the slash: "/index.html", "/assets/index-1a2b3c.js"
  std::string_view mime_type;   // the value of Content-Type
  std::string_view gzip_bytes;  // the file, gzipped
  std::string_view etag;        // with its quotation marks; of the file before compression
  bool immutable;               // the name changes with the content: may be cached for ever
};

// Sorted by path; static storage. Empty when the program was built without the site.
std::span<const SiteAsset> site_assets();

// Why the table is empty, one line for the user; empty when the site is there.
std::string_view site_assets_absent_reason();

// The page's paths besides "/" that are answered with "/index.html": "/live" as it is, "/c/" as a prefix (it
// ends in a slash). See docs/site-api.md.
inline constexpr std::string_view site_page_paths[] = {"/c/", "/library", "/live"};

// Sent with every file. Trusted Types: the page makes HTML in one place only, through its sanitiser.
inline constexpr std::string_view site_content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types dompurify";

}  // namespace r1
