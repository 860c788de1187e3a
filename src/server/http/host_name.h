// Names by which a request may call this machine. A page of another site may have pointed its own name at it
// (DNS rebinding): then the name gives it away.
#pragma once

#include <string_view>

namespace r1::server {

/// "[::1]:80" is "[::1]". What is no port stays: it makes a name that nobody has.
std::string_view host_without_port(std::string_view host);

/// localhost, 127.0.0.1 or [::1], with or without a port.
bool is_loopback_name(std::string_view host);

}  // namespace r1::server
