#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "sandbox/process_memory.h"
#include "sandbox/sanitized.h"
#include "sandbox/system_call_filter.h"

namespace r1 {
namespace {

constexpr const char* kBubblewrap = "/usr/bin/bwrap";
constexpr size_t kMaxMessageBytes = 4096;
constexpr int kFilterDescriptor = 3;  // where bubblewrap finds the filter; the files follow
constexpr size_t kMaxFiles = 32;
constexpr int64_t kSharedMemoryBytes = 4 << 20;
constexpr std::chrono::milliseconds kMemoryInterval{50};
constexpr int kMaxDescriptors = kFilterDescriptor + 1 + static_cast<int>(kMaxFiles);
constexpr const char* kPrlimit = "/usr/bin/prlimit";  // of util-linux
constexpr unsigned kNobody = 65534;

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

std::vector<std::string> bubblewrap_command(const std::vector<std::string>& command,
                                            const SandboxPolicy& policy, std::span<const SandboxFile> files) {
  std::vector<std::string> all{kBubblewrap,     "--unshare-all", "--die-with-parent",
                               "--new-session", "--clearenv",    "--cap-drop",
                               "ALL",           "--hostname",    "sandbox"};
  const auto add = [&](std::initializer_list<std::string> words) { all.insert(all.end(), words); };
  add({"--setenv", "LANG", "C.UTF-8", "--seccomp", std::to_string(kFilterDescriptor)});
#ifdef R1_SANITIZED  // which looks up there where the stack ends, when an exception is thrown
  add({"--proc", "/proc"});
#endif
  for (const std::string& path : policy.programs) add({"--ro-bind", path, path});
  for (const char* path : {"/lib", "/lib64", "/etc/ld.so.cache"}) add({"--ro-bind-try", path, path});
  std::string program = command.front();
  if (!program.starts_with("/usr/")) {  // our own, wherever it lies
    add({"--ro-bind", program, "/program"});
    program = "/program";
  }
  if (policy.needs_isolation()) {
    // Compilers and interpreters look for their parts by PATH and open /dev/null.
    add({"--setenv", "PATH", "/usr/bin", "--dev", "/dev"});
    // The folder /dev is in memory without a limit: nothing may be written there but a few semaphores.
    add({"--size", std::to_string(kSharedMemoryBytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"});
    add({"--symlink", "usr/bin", "/bin"});  // scripts begin with #!/bin/sh
  }
  if (policy.writable_bytes > 0) {
    const std::string folder = Sandbox::kWorkFolder;
    add({"--size", std::to_string(policy.writable_bytes), "--tmpfs", folder, "--chdir", folder});
    add({"--setenv", "HOME", folder, "--setenv", "TMPDIR", folder});
    int descriptor = kFilterDescriptor;
    for (const SandboxFile& file : files)
      add({"--file", std::to_string(++descriptor), folder + "/" + file.name});
  } else {
    add({"--chdir", "/"});
  }
  add({"--remount-ro", "/", "--"});
  if (policy.needs_isolation()) {
    // Set inside: outside, the limit would count all processes of the user. One more for bubblewrap's first
    // process.
    add({kPrlimit, "--nproc=" + std::to_string(policy.processes + 1)});
  }
  all.push_back(program);
  all.insert(all.end(), command.begin() + 1, command.end());
  return all;
}

void limit(int what, int64_t value) {
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(what), &both);
}

struct ChildPlan {
  char* const* arguments;
  std::span<const int> descriptors;  // the child's 0, 1, 2, …
  const sock_fprog* filter;          // to install here; null: bubblewrap installs it
  const SandboxPolicy* policy;
};

/// After fork() in a program with threads: system calls only.
[[noreturn]] void become_child(const ChildPlan& plan) {
  setpgid(0, 0);
  // The limit on processes does not bind root, in whatever name space.
  if (plan.policy->needs_isolation() && getuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, plan.policy->writable_bytes);
  limit(RLIMIT_CPU, plan.policy->cpu_seconds);
#ifndef R1_SANITIZED  // whose shadow memory needs terabytes of address space
  limit(RLIMIT_AS, plan.policy->memory_bytes);
#endif
  // Out of the way first: the numbers may overlap.
  const auto count = static_cast<int>(plan.descriptors.size());
  int spare[kMaxDescriptors];
  for (int i = 0; i < count; ++i) {
    spare[i] = fcntl(plan.descriptors[static_cast<size_t>(i)], F_DUPFD, kMaxDescriptors);
    if (spare[i] < 0) _exit(126);
  }
  for (int i = 0; i < count; ++i) {
    if (dup2(spare[i], i) < 0) _exit(126);
  }
  if (close_range(static_cast<unsigned>(count), ~0U, 0) != 0) _exit(126);
  limit(RLIMIT_NOFILE, 64);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.filter != nullptr && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                                 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, plan.filter) != 0)) {
    _exit(126);
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

/// Follows a program from its start to its end, or until it reaches a limit.
class Watch {
 public:
  Watch(pid_t child, const SandboxPolicy& policy, const SandboxReader& reader, SandboxResult& result)
      : child_(child), policy_(policy), reader_(reader), result_(result) {}

  /// Reads both pipes to their ends.
  SandboxResult::End collect(int output, int messages) {
    pollfd both[2] = {{output, POLLIN, 0}, {messages, POLLIN, 0}};
    char buffer[65536];
    while (both[0].fd >= 0 || both[1].fd >= 0) {
      const Clock::time_point now = Clock::now();
      if (now >= deadline()) return SandboxResult::End::out_of_time;
      if (uses_too_much_memory(now)) return SandboxResult::End::out_of_memory;
      if (poll(both, 2, milliseconds_to_wait(now)) < 0) {
        if (errno != EINTR) system_error("poll");
        continue;  // revents are those of the call before: a read could wait without end
      }
      for (int i = 0; i < 2; ++i) {
        if (both[i].fd < 0 || both[i].revents == 0) continue;
        const ssize_t got = read(both[i].fd, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
          both[i].fd = -1;
          continue;
        }
        const std::string_view piece(buffer, static_cast<size_t>(got));
        if (i == 1) {
          result_.messages.append(piece.substr(0, kMaxMessageBytes - result_.messages.size()));
        } else if (const SandboxResult::End end = take(piece); end != SandboxResult::End::exited) {
          return end;
        }
      }
    }
    return wait_for_exit();
  }

 private:
  using Clock = std::chrono::steady_clock;

  Clock::time_point deadline() const {
    const Clock::time_point end = start_ + policy_.wall_time;
    return policy_.quiet_time.count() > 0 ? std::min(end, last_output_ + policy_.quiet_time) : end;
  }

  int milliseconds_to_wait(Clock::time_point now) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline() - now);
    const bool samples = policy_.total_memory_bytes > 0;
    return static_cast<int>(std::min(left, samples ? kMemoryInterval : left).count());
  }

  bool uses_too_much_memory(Clock::time_point now) {
    if (policy_.total_memory_bytes == 0 || now < next_sample_) return false;
    next_sample_ = now + kMemoryInterval;
    return tree_memory(child_) > policy_.total_memory_bytes;
  }

  /// A program may close both and go on.
  SandboxResult::End wait_for_exit() {
    const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child_, 0)));
    if (process.get() < 0) system_error("pidfd_open");
    while (true) {
      const Clock::time_point now = Clock::now();
      if (now >= deadline()) return SandboxResult::End::out_of_time;
      if (uses_too_much_memory(now)) return SandboxResult::End::out_of_memory;
      pollfd ended{process.get(), POLLIN, 0};
      if (poll(&ended, 1, milliseconds_to_wait(now)) > 0) return SandboxResult::End::exited;
    }
  }

  /// End::exited: go on.
  SandboxResult::End take(std::string_view piece) {
    last_output_ = Clock::now();
    taken_ += static_cast<int64_t>(piece.size());
    if (taken_ > policy_.output_bytes) return SandboxResult::End::too_much_output;
    if (!reader_) {
      result_.output += piece;
    } else if (!reader_(piece)) {
      return SandboxResult::End::stopped;
    }
    return SandboxResult::End::exited;
  }

  pid_t child_;
  const SandboxPolicy& policy_;
  const SandboxReader& reader_;
  SandboxResult& result_;
  Clock::time_point start_ = Clock::now(), last_output_ = start_, next_sample_ = start_ + kMemoryInterval;
  int64_t taken_ = 0;
};

/// Kills and waits, however its scope is left.
class Child {
 public:
  explicit Child(pid_t process) : process_(process) {}
  Child(const Child&) = delete;
  ~Child() {
    if (process_ <= 0) return;
    stop();
    wait();
  }
  void stop() const {
    kill(-process_, SIGKILL);
    kill(process_, SIGKILL);  // in case it had not made its group yet
  }
  int wait() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }

 private:
  pid_t process_;
};

}  // namespace

Sandbox::Sandbox(Kind kind, std::string reason)
    : kind_(kind),
      reason_(std::move(reason)),
      reading_filter_(make_system_call_filter(FilterKind::reading)),
      working_filter_(make_system_call_filter(FilterKind::working)) {}

Sandbox Sandbox::detect() {
  if (!std::filesystem::exists(kBubblewrap)) return Sandbox(Kind::filter_only, "bubblewrap is not installed");
  Sandbox wanted(Kind::bubblewrap);
  SandboxPolicy policy;
  policy.wall_time = std::chrono::milliseconds(5000);
  const SandboxResult result = wanted.run({"/usr/bin/true"}, "", policy);
  if (result.end == SandboxResult::End::exited && result.code == 0) return wanted;
  std::string why = result.messages.substr(0, result.messages.find('\n'));
  return Sandbox(Kind::filter_only, why.empty() ? "bubblewrap does not work here" : why);
}

std::string Sandbox::description() const {
  if (kind_ == Kind::bubblewrap) return "bubblewrap: own namespaces, system call filter, limits";
  return "system call filter and limits only" + (reason_.empty() ? "" : " (" + reason_ + ")");
}

void Sandbox::check(const SandboxPolicy& policy, std::span<const SandboxFile> files) const {
  if (policy.needs_isolation() && kind_ != Kind::bubblewrap) {
    throw_error(ErrorKind::unsupported,
                "sandbox: a program that may write files or start processes needs bubblewrap{}",
                reason_.empty() ? "" : ": " + reason_);
  }
  if (policy.needs_isolation() && !std::filesystem::exists(kPrlimit)) {
    throw_error(ErrorKind::unsupported, "sandbox: the limit on processes needs {} (util-linux)", kPrlimit);
  }
  if (policy.processes < 1 || policy.writable_bytes < 0 || policy.memory_bytes <= 0 ||
      policy.total_memory_bytes < 0) {
    throw_error(ErrorKind::invalid_argument,
                "sandbox: a policy allows at least one process, some memory and no negative "
                "space");
  }
  if (!files.empty() && policy.writable_bytes == 0) {
    throw_error(ErrorKind::invalid_argument, "sandbox: files need a writable folder (writable_bytes)");
  }
  if (files.size() > kMaxFiles) {
    throw_error(ErrorKind::invalid_argument, "sandbox: at most {} files, found {}", kMaxFiles, files.size());
  }
  for (const SandboxFile& file : files) {
    if (file.name.empty() || file.name == "." || file.name == ".." ||
        file.name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      throw_error(ErrorKind::invalid_argument, "sandbox: '{}' is not a file name of one component",
                  file.name);
    }
  }
}

SandboxResult Sandbox::run(const std::vector<std::string>& command, std::string_view input,
                           const SandboxPolicy& policy, std::span<const SandboxFile> files,
                           const SandboxReader& reader) const {
  check(policy, files);
  const bool wrapped = kind_ == Kind::bubblewrap;
  std::vector<std::string> words = wrapped ? bubblewrap_command(command, policy, files) : command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::vector<unsigned char>& filter = policy.needs_isolation() ? working_filter_ : reading_filter_;
  std::vector<sock_filter> program(filter.size() / sizeof(sock_filter));
  std::memcpy(program.data(), filter.data(), program.size() * sizeof(sock_filter));
  const sock_fprog program_filter{static_cast<unsigned short>(program.size()), program.data()};
  Pipe output, messages;
  std::vector<Descriptor> opened;
  opened.push_back(memory_file(input));
  if (wrapped) {
    opened.push_back(memory_file({reinterpret_cast<const char*>(filter.data()), filter.size()}));
    for (const SandboxFile& file : files) opened.push_back(memory_file(file.bytes));
  }
  std::vector<int> descriptors{opened.front().get(), output.write_end.get(), messages.write_end.get()};
  for (size_t i = 1; i < opened.size(); ++i) descriptors.push_back(opened[i].get());
  const pid_t child = fork();
  if (child < 0) system_error("fork");
  if (child == 0) become_child({arguments.data(), descriptors, wrapped ? nullptr : &program_filter, &policy});
  output.write_end.close();
  messages.write_end.close();
  SandboxResult result;
  Child running(child);  // the reader may throw
  result.end = Watch(child, policy, reader, result).collect(output.read_end.get(), messages.read_end.get());
  if (result.end != SandboxResult::End::exited) running.stop();
  const int status = running.wait();
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

}  // namespace r1
