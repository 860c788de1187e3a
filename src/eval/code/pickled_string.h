// Strings in Python's pickle format, read without running it: LiveCodeBench packs its private tests so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace r1::eval {

/// The string of a pickle of one string, in protocol 0 to 5 (Python's pickletools describes them). Only the opcodes that push a string,
/// mark frames, or store it in the memo are read; any other is refused by name. Throws Error(bad_file) that names byte and opcode.
std::string read_pickled_string(std::string_view pickle);

/// Unpacks base64 → zlib → pickle of a string. Throws Error(bad_file), also where it unpacks to more than `max_bytes`.
std::string unpack_string(std::string_view packed, int64_t max_bytes);

}  // namespace r1::eval
