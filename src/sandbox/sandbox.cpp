#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/error.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define R1_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define R1_SANITIZED 1
#endif
#endif

namespace r1::site {
namespace {

constexpr const char* kBubblewrap = "/usr/bin/bwrap";
constexpr size_t kMostMessages = 4096;
constexpr int kFilterDescriptor = 3;  // where bubblewrap finds the filter

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return value_; }
  void close() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
  }

 private:
  int value_;
};

[[noreturn]] void system_error(const char* what) {
  throw_error(ErrorKind::io, "sandbox: {}: {}", what, std::strerror(errno));
}

/// The bytes as a file without a name, at its beginning.
Descriptor memory_file(std::string_view bytes) {
  Descriptor file(memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) system_error("memfd_create");
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t written = write(file.get(), bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR) system_error("cannot hand the input over");
    if (written > 0) at += static_cast<size_t>(written);
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

/// Everything but what reaches other processes, the network or the kernel's rarer parts: other people's
/// programs (pdftotext) need the rest.
std::vector<unsigned char> make_filter() {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  for (const char* name : {"socket",
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
                           "kill",
                           "tkill",
                           "tgkill",
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
                           "fork",
                           "vfork",
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
                           "unlink",
                           "unlinkat",
                           "rename",
                           "renameat",
                           "renameat2",
                           "mkdir",
                           "mkdirat",
                           "rmdir",
                           "chmod",
                           "fchmod",
                           "fchmodat",
                           "chown",
                           "fchown",
                           "fchownat",
                           "link",
                           "linkat",
                           "symlink",
                           "symlinkat",
                           "truncate",
                           "creat",
                           "mknod",
                           "mknodat",
                           "personality",
                           "clone3"}) {
    const int number = seccomp_syscall_resolve_name(name);
    // clone3: ENOSYS, so that the C library falls back to clone, whose flags a filter can see.
    const uint32_t action = std::strcmp(name, "clone3") == 0 ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ERRNO(EPERM);
    if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter.get(), action, number, 0);
  }
  // Files may be opened for reading only.
  for (const auto& [name, argument] : {std::pair("open", 1U), std::pair("openat", 2U)}) {
    for (const auto flag : {O_WRONLY, O_RDWR}) {
      seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1,
                       SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE, static_cast<scmp_datum_t>(flag)));
    }
    seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1,
                     SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT));
  }
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
  const Descriptor file(memfd_create("filter", MFD_CLOEXEC));
  if (file.get() < 0 || seccomp_export_bpf(filter.get(), file.get()) != 0) system_error("seccomp_export_bpf");
  std::vector<unsigned char> bytes(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)));
  if (pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    system_error("seccomp_export_bpf");
  }
  return bytes;
}

std::vector<std::string> bubblewrap_command(const std::vector<std::string>& command) {
  std::vector<std::string> all{kBubblewrap,
                               "--unshare-all",
                               "--die-with-parent",
                               "--new-session",
                               "--clearenv",
                               "--cap-drop",
                               "ALL",
                               "--setenv",
                               "LANG",
                               "C.UTF-8",
                               "--ro-bind",
                               "/usr",
                               "/usr",
                               "--hostname",
                               "sandbox",
                               "--seccomp",
                               std::to_string(kFilterDescriptor)};
#ifdef R1_SANITIZED  // which looks up there where the stack ends, when an exception is thrown
  all.insert(all.end(), {"--proc", "/proc"});
#endif
  for (const char* folder : {"/lib", "/lib64", "/etc/ld.so.cache"}) {
    all.insert(all.end(), {"--ro-bind-try", folder, folder});
  }
  std::string program = command.front();
  if (!program.starts_with("/usr/")) {  // our own, wherever it lies
    all.insert(all.end(), {"--ro-bind", program, "/program"});
    program = "/program";
  }
  all.insert(all.end(), {"--remount-ro", "/", "--chdir", "/", "--", program});
  all.insert(all.end(), command.begin() + 1, command.end());
  return all;
}

void limit(int what, int64_t value) {
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(what), &both);
}

struct ChildPlan {
  char* const* arguments;
  int input, output, messages, filter;
  const sock_fprog* own_filter;  // null: bubblewrap installs it
  const SandboxLimits* limits;
};

/// After fork() in a program with threads: system calls only.
[[noreturn]] void become_child(const ChildPlan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CPU, plan.limits->cpu_seconds);
#ifndef R1_SANITIZED  // whose shadow memory needs terabytes of address space
  limit(RLIMIT_AS, plan.limits->memory_bytes);
#endif
  // Out of the way first: the numbers may overlap.
  const int input = fcntl(plan.input, F_DUPFD, 64), output = fcntl(plan.output, F_DUPFD, 64),
            messages = fcntl(plan.messages, F_DUPFD, 64), filter = fcntl(plan.filter, F_DUPFD, 64);
  if (input < 0 || output < 0 || messages < 0 || filter < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 ||
      dup2(messages, 2) < 0 || dup2(filter, kFilterDescriptor) < 0) {
    _exit(126);
  }
  if (close_range(kFilterDescriptor + (plan.own_filter == nullptr ? 1 : 0), ~0U, 0) != 0) _exit(126);
  limit(RLIMIT_NOFILE, 64);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.own_filter != nullptr) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, plan.own_filter) != 0) {
      _exit(126);
    }
  }
  static const char* const environment[] = {"LANG=C.UTF-8", nullptr};
  execve(plan.arguments[0], plan.arguments, const_cast<char* const*>(environment));
  _exit(127);
}

struct Pipe {
  Descriptor read_end, write_end;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) system_error("pipe2");
    read_end = Descriptor(ends[0]);
    write_end = Descriptor(ends[1]);
  }
};

/// Reads both pipes to their ends, or until a limit is reached.
SandboxResult::End collect(int output, int messages, const SandboxLimits& limits, SandboxResult& result) {
  const auto deadline = std::chrono::steady_clock::now() + limits.wall_time;
  pollfd both[2] = {{output, POLLIN, 0}, {messages, POLLIN, 0}};
  char buffer[65536];
  while (both[0].fd >= 0 || both[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return SandboxResult::End::out_of_time;
    if (poll(both, 2, static_cast<int>(left.count())) < 0) {
      if (errno != EINTR) system_error("poll");
      continue;  // revents are those of the call before: a read could wait without end
    }
    for (int i = 0; i < 2; ++i) {
      if (both[i].fd < 0 || both[i].revents == 0) continue;
      const ssize_t got = read(both[i].fd, buffer, sizeof(buffer));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        both[i].fd = -1;
      } else if (i == 0) {
        result.output.append(buffer, static_cast<size_t>(got));
        if (static_cast<int64_t>(result.output.size()) > limits.output_bytes) {
          return SandboxResult::End::too_much_output;
        }
      } else if (result.messages.size() < kMostMessages) {
        result.messages.append(buffer,
                               std::min(static_cast<size_t>(got), kMostMessages - result.messages.size()));
      }
    }
  }
  return SandboxResult::End::exited;
}

}  // namespace

Sandbox::Sandbox(Kind kind, std::string reason)
    : kind_(kind), reason_(std::move(reason)), filter_(make_filter()) {}

Sandbox Sandbox::detect() {
  if (!std::filesystem::exists(kBubblewrap)) return Sandbox(Kind::filter_only, "bubblewrap is not installed");
  Sandbox wanted(Kind::bubblewrap);
  SandboxLimits limits;
  limits.wall_time = std::chrono::milliseconds(5000);
  const SandboxResult result = wanted.run({"/usr/bin/true"}, "", limits);
  if (result.end == SandboxResult::End::exited && result.code == 0) return wanted;
  std::string why = result.messages.substr(0, result.messages.find('\n'));
  return Sandbox(Kind::filter_only, why.empty() ? "bubblewrap does not work here" : why);
}

std::string Sandbox::description() const {
  if (kind_ == Kind::bubblewrap) return "bubblewrap: own namespaces, system call filter, limits";
  return "system call filter and limits only" + (reason_.empty() ? "" : " (" + reason_ + ")");
}

SandboxResult Sandbox::run(const std::vector<std::string>& command, std::string_view input,
                           const SandboxLimits& limits) const {
  const bool wrapped = kind_ == Kind::bubblewrap;
  std::vector<std::string> words = wrapped ? bubblewrap_command(command) : command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const Descriptor input_file = memory_file(input);
  const Descriptor filter_file = memory_file({reinterpret_cast<const char*>(filter_.data()), filter_.size()});
  std::vector<sock_filter> program(filter_.size() / sizeof(sock_filter));
  std::memcpy(program.data(), filter_.data(), program.size() * sizeof(sock_filter));
  const sock_fprog own_filter{static_cast<unsigned short>(program.size()), program.data()};
  Pipe output, messages;
  const pid_t child = fork();
  if (child < 0) system_error("fork");
  if (child == 0) {
    become_child({arguments.data(), input_file.get(), output.write_end.get(), messages.write_end.get(),
                  filter_file.get(), wrapped ? nullptr : &own_filter, &limits});
  }
  output.write_end.close();
  messages.write_end.close();
  SandboxResult result;
  result.end = collect(output.read_end.get(), messages.read_end.get(), limits, result);
  if (result.end != SandboxResult::End::exited) {
    kill(-child, SIGKILL);
    kill(child, SIGKILL);  // in case it had not made its group yet
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (result.end != SandboxResult::End::exited) return result;
  if (WIFSIGNALED(status)) {
    result.end = SandboxResult::End::killed_by_signal;
    result.code = WTERMSIG(status);
  } else {
    result.code = WEXITSTATUS(status);
    if (wrapped && result.code > 128) {  // bubblewrap's way to say that its child was killed
      result.end = SandboxResult::End::killed_by_signal;
      result.code -= 128;
    }
  }
  return result;
}

void allow_computing_only() {
  // Refused, not killed: the C library and libarchive try to open converters and time zones, and do without.
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  for (const char* name : {"read",
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
#ifdef R1_SANITIZED  // which tries with a pipe whether memory can be read, before it calls an object broken
                           "pipe",
                           "pipe2",
#endif
                           "restart_syscall"}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0);
  }
  if (seccomp_load(filter.get()) != 0) throw std::runtime_error("the system call filter was not accepted");
}

}  // namespace r1::site
