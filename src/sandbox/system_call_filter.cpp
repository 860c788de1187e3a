#include "sandbox/system_call_filter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "sandbox/sanitized.h"

namespace r1 {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

/// What reaches other processes, the network, the kernel's rarer parts or memory that is not counted.
constexpr const char* kRefusedAlways[] = {
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "setns",
    "unshare",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "reboot",
    "swapon",
    "swapoff",
    "sethostname",
    "setuid",
    "setgid",
    "personality",
    // Memory that no limit of a process counts.
    "memfd_create",
    "memfd_secret",
    "shmget",
    "shmat",
    "msgget",
    "semget",
    "mq_open",
};
/// What a reader of files does not need.
constexpr const char* kRefusedToReaders[] = {
    "kill",      "tkill", "tgkill",  "fork",    "vfork",     "unlink",   "unlinkat", "rename", "renameat",
    "renameat2", "mkdir", "mkdirat", "rmdir",   "chmod",     "fchmod",   "fchmodat", "chown",  "fchown",
    "fchownat",  "link",  "linkat",  "symlink", "symlinkat", "truncate", "creat",    "mknod",  "mknodat",
};
constexpr const char* kComputing[] = {
    "read",
    "write",
    "readv",
    "writev",
    "lseek",
    "close",
    "fstat",
    "newfstatat",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "futex",
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "clock_gettime",
    "gettimeofday",
    "getrandom",
    "getpid",
    "gettid",
    "tgkill",
    "sched_yield",
    "sched_getaffinity",
    "fcntl",
    "poll",
    "restart_syscall",
#ifdef R1_SANITIZED  // which tries with a pipe whether memory can be read, before it calls an object broken
    "pipe",
    "pipe2",
#endif
};

void add(const Filter& filter, uint32_t action, const char* name) {
  const int number = seccomp_syscall_resolve_name(name);  // unknown on other architectures
  if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter.get(), action, number, 0);
}

void refuse_where(const Filter& filter, const char* name, const scmp_arg_cmp& condition) {
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1, condition);
}

void refuse_writing(const Filter& filter) {
  for (const auto& [name, argument] : {std::pair("open", 1U), std::pair("openat", 2U)}) {
    for (const auto flag : {O_WRONLY, O_RDWR}) {
      refuse_where(filter, name,
                   SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE, static_cast<scmp_datum_t>(flag)));
    }
    refuse_where(filter, name, SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT));
  }
  add(filter, SCMP_ACT_ERRNO(ENOSYS), "openat2");  // its flags lie in memory, where a filter cannot look
}

}  // namespace

std::vector<unsigned char> make_system_call_filter(FilterKind kind) {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  for (const char* name : kRefusedAlways) add(filter, SCMP_ACT_ERRNO(EPERM), name);
  // ENOSYS, so that the C library falls back to clone, whose flags a filter can see.
  add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
  for (const auto flag : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                          CLONE_NEWPID, CLONE_NEWNET}) {
    refuse_where(
        filter, "clone",
        SCMP_CMP(0, SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(flag), static_cast<scmp_datum_t>(flag)));
  }
  if (kind == FilterKind::reading) {
    for (const char* name : kRefusedToReaders) add(filter, SCMP_ACT_ERRNO(EPERM), name);
    // The C library's fork() is a clone without CLONE_THREAD.
    refuse_where(filter, "clone", SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    refuse_writing(filter);
  }
  const int file = memfd_create("filter", MFD_CLOEXEC);
  std::vector<unsigned char> bytes;
  bool exported = file >= 0 && seccomp_export_bpf(filter.get(), file) == 0;
  if (exported) {
    bytes.resize(static_cast<size_t>(lseek(file, 0, SEEK_END)));
    exported = pread(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  }
  if (file >= 0) close(file);
  if (!exported)
    throw_error(ErrorKind::io, "sandbox: cannot make the system call filter: {}", std::strerror(errno));
  return bytes;
}

void allow_computing_only() {
  // Refused, not killed: the C library and libarchive try to open converters and time zones, and do without.
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  for (const char* name : kComputing) add(filter, SCMP_ACT_ALLOW, name);
  if (seccomp_load(filter.get()) != 0) throw std::runtime_error("the kernel refused the system call filter");
}

}  // namespace r1
