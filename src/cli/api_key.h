// Keys of APIs, which must not be among the arguments: everybody on the machine can see those.
#pragma once

#include <string>

namespace r1::cli {

/// Of the file, or of the environment's `variable` where no file is given; empty: neither. Throws Error(invalid_argument) for an
/// empty file and for a key that is not one line of visible ASCII characters.
std::string read_api_key(const std::string& file, const char* variable);

}  // namespace r1::cli
