// Where the chat site keeps what it stores, and how the program starts itself as a child.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace r1::cli {

/// The chosen folder, or $XDG_DATA_HOME/r1 or ~/.local/share/r1 (the XDG Base Directory Specification); made
/// when it is not there, for its owner only.
std::filesystem::path data_folder(const std::string& chosen = {});

/// {"/…/r1", "extract-child"}
std::vector<std::string> extract_child_command();

}  // namespace r1::cli
