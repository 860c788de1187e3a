// Times of the chat site: milliseconds since 1970, UTC.
#pragma once

#include <cstdint>
#include <string>

namespace r1::site {

int64_t now_ms();

/// As strftime(3) writes it, in UTC; at most 63 bytes.
std::string utc_text(int64_t ms, const char* format);

}  // namespace r1::site
