// System call filters (seccomp) for programs in a sandbox.
#pragma once

#include <vector>

namespace r1 {

enum class FilterKind {
  reading,  // may read files and compute: no other process, no file opened for writing, no signals
  working,  // may also start processes and write files; which files, the name space decides
};

/// A BPF program: an array of sock_filter, as prctl(PR_SET_SECCOMP) and bubblewrap take it. Both kinds refuse
/// sockets, other processes' memory, mounts, new name spaces and the kernel's rarer parts. Throws Error(io).
std::vector<unsigned char> make_system_call_filter(FilterKind kind);

/// For a program of ours that runs in a sandbox: from now on the system refuses everything except reading and
/// writing open descriptors, and computing. Throws std::runtime_error when the kernel refuses the filter.
void allow_computing_only();

}  // namespace r1
