// SHA-256 of texts (FIPS 180-4). Of files: content_hash (formats/download.h).
#pragma once

#include <string>
#include <string_view>

namespace r1 {

/// 64 hexadecimal digits, lower case.
std::string sha256(std::string_view bytes);

}  // namespace r1
