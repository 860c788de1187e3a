#include "sandbox/process_memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace r1 {
namespace {

int64_t process_memory(pid_t process) {
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", process));
  int64_t kibibytes = -1;
  for (std::string line; std::getline(rollup, line);) {
    for (const char* name : {"Pss_Anon:", "SwapPss:"}) {
      if (line.starts_with(name)) {
        kibibytes = std::max<int64_t>(kibibytes, 0) + std::atoll(line.c_str() + line.find(':') + 1);
      }
    }
  }
  if (kibibytes >= 0) return kibibytes * 1024;
  int64_t total = 0, resident = 0, shared = 0;
  std::ifstream(fmt::format("/proc/{}/statm", process)) >> total >> resident >> shared;
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

std::vector<pid_t> children(pid_t process) {
  std::vector<pid_t> found;
  std::error_code ended;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), ended)) {
    std::ifstream list(thread.path() / "children");
    for (pid_t child = 0; list >> child;) found.push_back(child);
  }
  return found;
}

}  // namespace

int64_t tree_memory(pid_t root) {
  constexpr size_t kMaxProcesses = 4096;
  std::vector<pid_t> all{root};
  int64_t bytes = 0;
  for (size_t i = 0; i < all.size() && i < kMaxProcesses; ++i) {
    bytes += process_memory(all[i]);
    const std::vector<pid_t> below = children(all[i]);
    all.insert(all.end(), below.begin(), below.end());
  }
  return bytes;
}

}  // namespace r1
