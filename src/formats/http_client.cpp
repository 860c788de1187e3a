#include "formats/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
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

size_t receive_header(char* data, size_t, size_t bytes, void* user) {
  auto& headers = static_cast<Transfer*>(user)->response.headers;
  const std::string_view line(data, bytes);
  if (line.starts_with("HTTP/")) headers.clear();  // another answer: behind a redirect
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front())) != 0)
    value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0)
    value.remove_suffix(1);
  headers.emplace_back(std::move(name), value);
  return bytes;
}

int ask_whether_cancelled(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.stopped |= transfer.request->cancelled();
  return transfer.stopped ? 1 : 0;
}

using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void add_header(HeaderList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
  return found != headers.end() ? std::string_view(found->second) : std::string_view();
}

HttpClient::HttpClient() {
  initialise_curl();
  handle_ = curl_easy_init();
  if (handle_ == nullptr) throw_error(ErrorKind::network, "cannot make a libcurl handle");
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(handle_);
}

HttpResponse HttpClient::send(const HttpRequest& request) {
  if (request.url.find_first_of("\r\n") != std::string::npos ||
      request.bearer_token.find_first_of("\r\n") != std::string::npos) {
    throw_error(ErrorKind::invalid_argument, "a URL or token may not contain line breaks");
  }
  auto* curl = static_cast<CURL*>(handle_);
  curl_easy_reset(curl);  // keeps connections
  Transfer transfer{&request, curl, {}};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.json_body ? 0L : 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.silence.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(request.time.count()));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "r1.cpp");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  if (request.cancelled) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_whether_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  }
  HeaderList headers(nullptr, curl_slist_free_all);
  // libcurl drops this header when a redirect leads to another host.
  if (!request.bearer_token.empty()) add_header(headers, "Authorization: Bearer " + request.bearer_token);
  if (request.json_body) {
    add_header(headers, "Content-Type: application/json");
    add_header(headers, "Expect:");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.json_body->size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.json_body->data());
  }
  if (headers) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  std::string range;
  if (request.range_begin) {
    range = fmt::format("{}-", *request.range_begin);
    if (request.range_end) range += std::to_string(*request.range_end - 1);
    curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  }
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
  const CURLcode result = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  if (transfer.stopped) throw_error(ErrorKind::cancelled, "{}: stopped", request.url);
  if (transfer.too_large) {
    throw_error(ErrorKind::network, "{}: expected at most {} bytes of answer, found more", request.url,
                request.body_limit);
  }
  if (transfer.range_ignored) return transfer.response;
  if (result != CURLE_OK) {
    throw_error(ErrorKind::network, "{}: {}", request.url,
                reason[0] != '\0' ? reason.data() : curl_easy_strerror(result));
  }
  return transfer.response;
}

}  // namespace r1
