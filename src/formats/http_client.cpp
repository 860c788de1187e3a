#include "formats/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "base/error.h"

namespace r1 {
namespace {

/// libcurl wants one global initialisation before the first handle; a function-local static is thread-safe.
void initialise_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK)
    throw_error(ErrorKind::network, "cannot start libcurl: {}", curl_easy_strerror(result));
}

struct Transfer {
  const HttpRequest* request;
  CURL* handle;
  HttpResponse response;
  bool stopped = false;
  bool too_large = false;
  bool range_ignored = false;
};

size_t receive(char* data, size_t, size_t bytes, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  const HttpRequest& request = *transfer.request;
  if (request.on_data && (status == 200 || status == 206)) {
    transfer.range_ignored = request.range_begin && status == 200;
    if (transfer.range_ignored) return 0;
    if (request.on_data({data, bytes})) return bytes;
    transfer.stopped = true;
    return 0;
  }
  if (transfer.response.body.size() + bytes > request.body_limit) {
    transfer.too_large = true;
    return 0;
  }
  transfer.response.body.append(data, bytes);
  return bytes;
}

}  // namespace

HttpClient::HttpClient() {
  initialise_curl();
  handle_ = curl_easy_init();
  if (handle_ == nullptr) throw_error(ErrorKind::network, "cannot make a libcurl handle");
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(handle_);
}

HttpResponse HttpClient::get(const HttpRequest& request) {
  if (request.url.find_first_of("\r\n") != std::string::npos ||
      request.bearer_token.find_first_of("\r\n") != std::string::npos) {
    throw_error(ErrorKind::invalid_argument, "a URL or token may not contain line breaks");
  }
  auto* curl = static_cast<CURL*>(handle_);
  curl_easy_reset(curl);  // keeps connections
  Transfer transfer{&request, curl, {}};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "r1.cpp");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  if (!request.bearer_token.empty()) {
    // libcurl drops this header when a redirect leads to another host.
    headers.reset(curl_slist_append(nullptr, ("Authorization: Bearer " + request.bearer_token).c_str()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  }
  std::string range;
  if (request.range_begin) {
    range = fmt::format("{}-", *request.range_begin);
    if (request.range_end) range += std::to_string(*request.range_end - 1);
    curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  }
  const CURLcode result = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  if (transfer.stopped) throw_error(ErrorKind::cancelled, "{}: stopped", request.url);
  if (transfer.too_large) {
    throw_error(ErrorKind::network, "{}: expected at most {} bytes of answer, found more", request.url,
                request.body_limit);
  }
  if (transfer.range_ignored) return transfer.response;
  if (result != CURLE_OK) throw_error(ErrorKind::network, "{}: {}", request.url, curl_easy_strerror(result));
  return transfer.response;
}

}  // namespace r1
