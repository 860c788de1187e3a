#include "server/site/evaluation_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "server/http/api_error.h"
#include "server/site/answer_board.h"
#include "server/site/site_service.h"

namespace r1::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kReportPolicy =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::string_view kListPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'";
constexpr uintmax_t kLargest = uintmax_t{256} << 20;  // bytes of a page

void check_operator(const Authenticator& authenticator, const HttpRequest& request) {
  const std::optional<std::string> owner = site_owner(authenticator, request);
  if (!owner) throw ApiError(401, "", "sign_in_required", "sign in with a key first");
  if (*owner != kLocalOwner)
    throw ApiError(403, "", "forbidden", "evaluations are shown with the command line's key only");
}

void send_page(ResponseSink& sink, std::string body, std::string_view policy) {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                      {"Cache-Control", "no-store"},
                      {"Content-Security-Policy", std::string(policy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"}};
  response.body = std::move(body);
  sink.respond(std::move(response));
}

/// For HTML and, percent-encoded, for addresses: letters, digits, "-", "_", "." and "/" stay.
std::string escaped(std::string_view text, bool address) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '/';
    if (plain)
      out += c;
    else if (address)
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else if (static_cast<unsigned char>(c) < 0x80)
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

std::string list_page(const std::vector<std::string>& reports) {
  std::string out =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
      "<title>Evaluations</title><style>body{font:16px/1.6 "
      "system-ui,sans-serif;max-width:48rem;margin:1.5rem "
      "auto;padding:0 1rem}li{overflow-wrap:anywhere}</style><h1>Evaluations</h1>";
  if (reports.empty()) return out + "<p>There is no report yet: <code>r1 eval report</code> writes them.</p>";
  out += "<ul>";
  for (const std::string& report : reports)
    out += fmt::format("<li><a href=\"/evaluations/{}\">{}</a></li>", escaped(report, true),
                       escaped(report, false));
  return out + "</ul>";
}

std::string read_page(const fs::path& path, const std::string& name) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) throw ApiError(404, "", "not_found", fmt::format("there is no report {}", name));
  if (size > kLargest)
    throw ApiError(413, "", "too_large",
                   fmt::format("{}: {} bytes, pages have at most {}", name, size, kLargest));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ApiError(404, "", "not_found", fmt::format("there is no report {}", name));
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::vector<std::string> evaluation_reports(const fs::path& folder) {
  constexpr int kDeepest = 4, kEntries = 10'000;
  std::vector<std::string> reports;
  std::error_code error;
  int entries = 0;
  for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error),
       end;
       !error && entry != end && entries < kEntries; entry.increment(error), ++entries) {
    const std::string name = entry->path().filename().string();
    if (entry->is_symlink(error)) continue;  // links to folders are not entered either
    if (entry->is_directory(error)) {
      if (name.starts_with('.') || entry.depth() >= kDeepest) entry.disable_recursion_pending();
    } else if ((name == "report.html" || name == "comparison.html") && entry->is_regular_file(error)) {
      reports.push_back(entry->path().lexically_relative(folder).generic_string());
    }
  }
  std::sort(reports.begin(), reports.end());
  return reports;
}

void add_evaluation_pages(Router& router, const Authenticator& authenticator, const fs::path& folder) {
  router.add(
      {"GET", "/evaluations",
       [&authenticator, folder](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
         check_operator(authenticator, request);
         send_page(*sink, list_page(evaluation_reports(folder)), kListPolicy);
       },
       true, false});
  router.add(
      {"GET", "/evaluations/*",
       [&authenticator, folder](const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink) {
         check_operator(authenticator, request);
         // Only what the list has: no ".." and no link leads out of the folder.
         const std::vector<std::string> reports = evaluation_reports(folder);
         if (!std::binary_search(reports.begin(), reports.end(), request.path_rest)) {
           throw ApiError(404, "", "not_found",
                          fmt::format("there is no report {}", request.path_rest.substr(0, 200)));
         }
         send_page(*sink, read_page(folder / request.path_rest, request.path_rest), kReportPolicy);
       },
       true, false});
}

}  // namespace r1::server
