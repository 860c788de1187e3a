// Memory of this process and what the machine has left, as Linux tells them (proc(5), cgroups(7)).
#pragma once

#include <cstddef>
#include <filesystem>

namespace r1 {

/// Bytes of physical memory that this process uses.
struct MemoryUse {
  size_t peak = 0, resident = 0, anonymous = 0, files = 0;
};

/// Zeros where the system does not tell.
MemoryUse read_memory_use(const std::filesystem::path& proc = "/proc");

/// Bytes that may still be taken without swapping and without going over the limits of the control groups
/// (version 2) that this process is in, as a container's. 0: not known.
size_t available_memory(const std::filesystem::path& proc = "/proc",
                        const std::filesystem::path& control_groups = "/sys/fs/cgroup");

}  // namespace r1
