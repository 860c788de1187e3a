#include "cli/site_location.h"

#include <sys/stat.h>

#include <cstdlib>

#include "base/error.h"

namespace r1::cli {

namespace fs = std::filesystem;

fs::path data_folder(const std::string& chosen) {
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (!chosen.empty()) {
    folder = chosen;
  } else if (data != nullptr && *data == '/') {
    folder = fs::path(data) / "r1";
  } else if (home != nullptr && *home != 0) {
    folder = fs::path(home) / ".local" / "share" / "r1";
  } else {
    throw_error(ErrorKind::invalid_argument, "HOME is not set: no folder for the site's data");
  }
  std::error_code failed;
  const bool made = fs::create_directories(folder, failed);
  if (failed) throw_error(ErrorKind::io, "{}: cannot be made: {}", folder.string(), failed.message());
  if (made || chosen.empty()) ::chmod(folder.c_str(), 0700);
  return folder;
}

std::vector<std::string> extract_child_command() {
  return {fs::read_symlink("/proc/self/exe").string(), "extract-child"};
}

}  // namespace r1::cli
