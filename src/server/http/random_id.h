// Random numbers that nobody can guess, and what is made of them. From the system's generator; Error(io)
// where it has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace r1::server {

/// Two digits a byte.
std::string random_hexadecimal(size_t bytes);

/// prefix + 24 random hexadecimal digits.
std::string random_id(std::string_view prefix);

uint64_t random_seed();

}  // namespace r1::server
