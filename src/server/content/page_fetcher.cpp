#include "server/content/page_fetcher.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace r1::site {
namespace {

struct Block4 {
  uint32_t prefix;
  int bits;
};

constexpr uint32_t ip(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
constexpr std::array<Block4, 17> kNotPublic4{{
    {ip(0, 0, 0, 0), 8},         // this network
    {ip(10, 0, 0, 0), 8},        // private
    {ip(100, 64, 0, 0), 10},     // shared by carriers; one cloud's metadata service
    {ip(127, 0, 0, 0), 8},       // loopback
    {ip(168, 63, 129, 16), 32},  // one cloud's wire server, on a public address
    {ip(169, 254, 0, 0), 16},    // link-local; metadata services
    {ip(172, 16, 0, 0), 12},     // private
    {ip(192, 0, 0, 0), 24},      // protocol assignments
    {ip(192, 0, 2, 0), 24},      // documentation
    {ip(192, 31, 196, 0), 24},   // AS112
    {ip(192, 52, 193, 0), 24},   // AMT
    {ip(192, 88, 99, 0), 24},    // 6to4 relays
    {ip(192, 168, 0, 0), 16},    // private
    {ip(198, 18, 0, 0), 15},     // benchmarking
    {ip(198, 51, 100, 0), 24},   // documentation
    {ip(203, 0, 113, 0), 24},    // documentation
    {ip(224, 0, 0, 0), 3},       // multicast, reserved, broadcast
}};

bool is_public4(uint32_t address) {
  for (const Block4& block : kNotPublic4) {
    if ((address ^ block.prefix) >> (32 - block.bits) == 0) return false;
  }
  return true;
}

/// Of IPv6, only global unicast (2000::/3) can be public. Everything mapped or translated lies outside it,
/// but for Teredo and others in 2001::/23, and 6to4.
bool is_public6(const unsigned char* bytes) {
  const unsigned first = static_cast<unsigned>(bytes[0]) << 8 | bytes[1];
  const unsigned second = static_cast<unsigned>(bytes[2]) << 8 | bytes[3];
  if (first >> 13 != 1) return false;
  if (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) return false;
  if (first == 0x2002) return false;
  if (first == 0x3fff && second < 0x1000) return false;  // documentation
  return first != 0x5f00;
}

std::string shown(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof(four));
    inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, &address, sizeof(six));
    inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

struct Fetch {
  const AddressGuard& guard;
  const FetchLimits& limits;
  const std::vector<std::string>& types;
  CURL* handle;
  FetchedPage page;
  std::string refused_address, refused_type;
  bool too_long = false, type_checked = false;
};

curl_socket_t open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) {
  auto& fetch = *static_cast<Fetch*>(context);
  if (purpose != CURLSOCKTYPE_IPCXN || !fetch.guard(address->addr)) {
    fetch.refused_address = shown(address->addr);
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool is_wanted(const std::string& content_type, const std::vector<std::string>& types) {
  const std::string_view type = std::string_view(content_type).substr(0, content_type.find_first_of("; "));
  for (const std::string_view one : types) {
    const bool all = one.ends_with("/*");
    const std::string_view start = all ? one.substr(0, one.size() - 1) : one;
    if (type.size() < start.size() || (!all && type.size() > start.size())) continue;
    if (strncasecmp(type.data(), start.data(), start.size()) == 0) return true;
  }
  return false;
}

size_t take_bytes(char* bytes, size_t size, size_t count, void* context) {
  auto& fetch = *static_cast<Fetch*>(context);
  if (!fetch.type_checked) {
    const char* type = nullptr;
    curl_easy_getinfo(fetch.handle, CURLINFO_CONTENT_TYPE, &type);
    fetch.page.content_type = type == nullptr ? "" : type;
    if (!is_wanted(fetch.page.content_type, fetch.types)) {
      fetch.refused_type = type == nullptr ? "none" : type;
      return 0;
    }
    fetch.type_checked = true;
  }
  if (static_cast<int64_t>(fetch.page.body.size() + size * count) > fetch.limits.body_bytes) {
    fetch.too_long = true;
    return 0;
  }
  fetch.page.body.append(bytes, size * count);
  return size * count;
}

int look_whether_cancelled(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const Cancelled*>(context))() ? 1 : 0;
}

/// Only "http://name…" and "https://name…", without a user's name, spaces or control characters.
void check_url(const std::string& url) {
  const std::string_view text = url;
  const size_t scheme = strncasecmp(url.c_str(), "http://", 7) == 0    ? 7
                        : strncasecmp(url.c_str(), "https://", 8) == 0 ? 8
                                                                       : 0;
  if (scheme == 0)
    throw_error(ErrorKind::invalid_argument, "{}: only http and https addresses are fetched", url);
  const std::string_view host = text.substr(scheme, text.find_first_of("/?#", scheme) - scheme);
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      throw_error(ErrorKind::invalid_argument, "not an address: it has a space or control character in it");
    }
  }
  if (host.empty() || host.find('@') != std::string_view::npos) {
    throw_error(ErrorKind::invalid_argument, "{}: expected a host's name after the slashes", url);
  }
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof(four));
    return is_public4(ntohl(four.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, &address, sizeof(six));
    return is_public6(six.sin6_addr.s6_addr);
  }
  return false;
}

PageFetcher::PageFetcher(FetchLimits limits, AddressGuard guard)
    : limits_(limits), guard_(std::move(guard)) {}

FetchedPage PageFetcher::get(const std::string& url, const std::vector<std::string>& types,
                             const Cancelled& cancelled) const {
  check_url(url);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> owned(curl_easy_init(), curl_easy_cleanup);
  CURL* handle = owned.get();
  if (handle == nullptr) throw_error(ErrorKind::network, "{}: libcurl could not be started", url);
  Fetch fetch{guard_, limits_, types, handle, {}, {}, {}};
  std::array<char, CURL_ERROR_SIZE> message{};
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, message.data());
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, static_cast<long>(limits_.redirects));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.time.count()));
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "r1");
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &fetch);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &fetch);
  if (cancelled) {
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &cancelled);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, look_whether_cancelled);
  }
  const CURLcode code = curl_easy_perform(handle);
  const char* final_url = nullptr;
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &final_url);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  fetch.page.url = final_url == nullptr ? url : final_url;
  if (!fetch.refused_address.empty() && code != CURLE_OK) {
    throw_error(ErrorKind::invalid_argument, "{}: leads to {}, which is not a public address", url,
                fetch.refused_address);
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) throw_error(ErrorKind::cancelled, "{}: cancelled", url);
  if (fetch.too_long) {
    throw_error(ErrorKind::network, "{}: the page is longer than {} bytes", url, limits_.body_bytes);
  }
  if (!fetch.refused_type.empty()) {
    throw_error(ErrorKind::network, "{}: pages of type '{}' are not read", url, fetch.refused_type);
  }
  if (code != CURLE_OK) {
    throw_error(ErrorKind::network, "{}: {}", url,
                message[0] != 0 ? message.data() : curl_easy_strerror(code));
  }
  if (status != 200) throw_error(ErrorKind::network, "{}: the address answered {}", url, status);
  return std::move(fetch.page);
}

}  // namespace r1::site
