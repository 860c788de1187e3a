#include "server/http/host_name.h"

#include <algorithm>

#include "server/http/http_message.h"

namespace r1::server {

std::string_view host_without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.rfind(':');
  if (colon == host.npos || (bracket != host.npos && colon < bracket)) return host;
  const bool port = std::ranges::all_of(host.substr(colon + 1), [](char c) { return c >= '0' && c <= '9'; });
  return port ? host.substr(0, colon) : host;
}

bool is_loopback_name(std::string_view host) {
  const std::string_view name = host_without_port(host);
  for (const std::string_view known : {"localhost", "127.0.0.1", "[::1]"}) {
    if (equal_ignoring_case(name, known)) return true;
  }
  return false;
}

}  // namespace r1::server
