// Files of a project on this machine, read for a prompt or to be patched.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace r1::eval {

/// The content of a regular file below `folder`; nothing: there is none. Throws Error(bad_file) for a path outside, also through symbolic
/// links, Error(io) for a file that cannot be read or is larger than 16 MiB.
std::optional<std::string> read_project_file(const std::filesystem::path& folder, const std::string& path);

/// A word for sh, quoted.
std::string shell_word(std::string_view text);

}  // namespace r1::eval
