// Fetches web pages on behalf of users and models, who may not reach this machine or its network through it:
// every address is checked when the socket to it is made, that is after name resolution and again for each
// redirect, and the connection goes to exactly the address that was checked (so that a name which resolves
// differently the next time gains nothing). No proxies, for they would do the resolving; http and https only.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace r1::site {

/// True for an address that any machine on the Internet may be reached at: not private, loopback, link-local
/// (with the clouds' metadata services), shared, multicast, documentation, benchmarking, reserved; not IPv4
/// in any IPv6 disguise (mapped, compatible, translated, 6to4, Teredo). Source: IANA's special-purpose
/// address registries.
bool is_public_address(const sockaddr& address);

/// Decides about an address before a connection to it is made.
using AddressGuard = std::function<bool(const sockaddr& address)>;

struct FetchLimits {
  int64_t body_bytes = int64_t{8} << 20;  // after decompression
  std::chrono::milliseconds time{15'000};
  int redirects = 5;
};

/// Asked several times a second while something is waited for. Empty: never.
using Cancelled = std::function<bool()>;

struct FetchedPage {
  std::string url;           // where the redirects led
  std::string content_type;  // as sent
  std::string body;
};

/// Const and safe from several threads.
class PageFetcher {
 public:
  /// `guard`: for tests and for an operator's own search service, which is on a private address on purpose.
  explicit PageFetcher(FetchLimits limits = {}, AddressGuard guard = is_public_address);

  /// A page whose type is one of `types` ("text/html"; "text/*"). Throws Error(network) in one line for
  /// anything but a complete 200, Error(invalid_argument) for an address that is none or is not allowed,
  /// Error(cancelled).
  FetchedPage get(const std::string& url, const std::vector<std::string>& types,
                  const Cancelled& cancelled = {}) const;

 private:
  FetchLimits limits_;
  AddressGuard guard_;
};

}  // namespace r1::site
