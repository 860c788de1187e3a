// Runs a program on bytes that nobody trusts: it gets them on standard input, and all it can do is to write
// text to standard output. With bubblewrap where that works: own namespaces (no network, no processes, no
// files but read-only /usr) and a system call filter; else the filter and the limits alone, which still leave
// no network, no new programs' privileges and no writing of files, but do leave reading. description() says
// which.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1::site {

struct SandboxLimits {
  int cpu_seconds = 20;
  int64_t memory_bytes = int64_t{2} << 30;  // address space
  int64_t output_bytes = int64_t{16} << 20;
  std::chrono::milliseconds wall_time{30'000};
};

struct SandboxResult {
  enum class End { exited, killed_by_signal, out_of_time, too_much_output };
  End end = End::exited;
  int code = 0;  // exit status, or the signal's number
  std::string output;
  std::string messages;  // of standard error, at most 4 KiB
};

/// Const and safe from several threads once made.
class Sandbox {
 public:
  enum class Kind { bubblewrap, filter_only };

  /// Tries bubblewrap with a program that does nothing.
  static Sandbox detect();
  explicit Sandbox(Kind kind, std::string reason = "");

  Kind kind() const { return kind_; }
  /// One line for the user: which sandbox, and why not a better one.
  std::string description() const;

  /// `command`: the program's absolute path and its arguments. Waits for its end. Throws Error(io) when it
  /// could not be started; what it does afterwards is a result.
  SandboxResult run(const std::vector<std::string>& command, std::string_view input,
                    const SandboxLimits& limits) const;

 private:
  Kind kind_;
  std::string reason_;
  std::vector<unsigned char> filter_;  // a BPF program: array of sock_filter
};

/// For a program of ours that is run in a sandbox: from now on the system refuses everything but what reading
/// open descriptors and computing need.
void allow_computing_only();

}  // namespace r1::site
