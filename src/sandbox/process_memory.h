// Memory of a process and all its descendants, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace r1 {

/// Bytes of anonymous memory, resident or swapped, of `root` and its descendants. Memory that processes share after a
/// fork counts once (proportional set size); where the system does not tell it, it counts for each process. Processes
/// that end in the meantime count as 0.
int64_t tree_memory(pid_t root);

}  // namespace r1
