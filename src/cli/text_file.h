// Texts that a command reads whole.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

namespace r1::cli {

/// Throws Error(io) for a file that is missing, a directory, or cannot be read to its end.
std::string read_text_file(const std::filesystem::path& path);
/// `name`: for messages.
std::string read_all(std::istream& in, const std::string& name);

}  // namespace r1::cli
