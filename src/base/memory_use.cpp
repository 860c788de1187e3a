#include "base/memory_use.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace r1 {
namespace {

namespace fs = std::filesystem;

// "Name:   12 kB" of a file of /proc, in bytes.
std::optional<size_t> read_kibibytes(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    size_t kibibytes = 0;
    if (word == name && file >> kibibytes) return kibibytes * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

// A file with one number; "max" is none.
std::optional<size_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  size_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// The value behind a name in a file of lines "name value".
size_t read_value(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  size_t value = 0;
  while (file >> word >> value) {
    if (word == name) return value;
  }
  return 0;
}

// Where this process stands below the mount of the control groups: the line "0::/PATH" of version 2.
fs::path own_group(const fs::path& proc) {
  constexpr std::string_view kUnified = "0::/";
  std::ifstream file(proc / "self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(kUnified)) return line.substr(kUnified.size());
  }
  return {};
}

// What one group leaves; the cache of files that nobody uses is given up before the limit bites.
std::optional<size_t> left_of(const fs::path& group) {
  const auto limit = read_number(group / "memory.max");
  const auto current = read_number(group / "memory.current");
  if (!limit || !current) return std::nullopt;
  const size_t cache = read_value(group / "memory.stat", "inactive_file");
  const size_t used = *current - std::min(*current, cache);
  return *limit - std::min(*limit, used);
}

}  // namespace

MemoryUse read_memory_use(const fs::path& proc) {
  const fs::path status = proc / "self/status";
  auto read = [&](std::string_view name) { return read_kibibytes(status, name).value_or(0); };
  return {read("VmHWM:"), read("VmRSS:"), read("RssAnon:"), read("RssFile:")};
}

size_t available_memory(const fs::path& proc, const fs::path& control_groups) {
  const auto machine = read_kibibytes(proc / "meminfo", "MemAvailable:");
  if (!machine) return 0;
  size_t available = *machine;
  // Inside a container the path may be of the host's tree and not be there: the root is the container's then.
  const fs::path below = own_group(proc);
  for (fs::path group = below;; group = group.parent_path()) {
    if (const auto left = left_of(control_groups / group)) available = std::min(available, *left);
    if (group.empty()) break;
  }
  return available;
}

}  // namespace r1
