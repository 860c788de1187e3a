// Runs a program that nobody trusts, or a trusted program on bytes that nobody trusts. It reads standard
// input and writes standard output; a SandboxPolicy says what else it may do.
//
// With bubblewrap, where that works: own name spaces (no network, no other processes, no files but the named
// read-only folders) and a system call filter. Without it, a program that only reads and computes is held by
// the filter and the limits alone, which leave no network, no other processes and no writing, but do leave
// reading of files; a policy that allows more is refused (SandboxPolicy::needs_isolation). description() says
// which.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// What a program may do and use. The default is for readers of documents: one process that computes.
struct SandboxPolicy {
  /// Files and folders that the program sees, read-only and at the same place, beside the command's own
  /// program.
  std::vector<std::string> programs{"/usr"};
  /// Size of Sandbox::kWorkFolder, an empty folder in memory, which is then the working directory, HOME and
  /// TMPDIR. 0: there is none, and the program cannot write any file.
  int64_t writable_bytes = 0;
  /// Most processes and threads at a time. 1: no other process (threads are allowed).
  int processes = 1;
  /// Address space of each process. All of them together: `processes` times as much, and writable_bytes.
  int64_t memory_bytes = int64_t{2} << 30;
  /// Memory of all processes together, sampled every 50 ms, files in the work folder not counted. 0: not sampled.
  int64_t total_memory_bytes = 0;
  int cpu_seconds = 20;  // of each process
  std::chrono::milliseconds wall_time{30'000};
  std::chrono::milliseconds quiet_time{0};   // longest time without standard output; 0: up to wall_time
  int64_t output_bytes = int64_t{16} << 20;  // of standard output

  /// The program may write or start others: name spaces must hold it, a filter alone cannot.
  bool needs_isolation() const { return writable_bytes > 0 || processes > 1; }
};

/// A file that lies in Sandbox::kWorkFolder when the program starts. `name`: one component.
struct SandboxFile {
  std::string name;
  std::string_view bytes;
};

struct SandboxResult {
  enum class End {
    exited,
    killed_by_signal,
    out_of_time,      // wall_time or quiet_time
    out_of_memory,    // total_memory_bytes
    too_much_output,  // output_bytes
    stopped,          // by the SandboxReader
  };
  End end = End::exited;
  int code = 0;          // exit status, or the signal's number
  std::string output;    // empty with a SandboxReader
  std::string messages;  // of standard error, at most 4 KiB
};

/// Takes standard output piece by piece, in the thread of Sandbox::run. false: the program is ended (End::stopped).
using SandboxReader = std::function<bool(std::string_view piece)>;

/// Const and safe from several threads once made.
class Sandbox {
 public:
  enum class Kind { bubblewrap, filter_only };
  static constexpr const char* kWorkFolder = "/scratch";

  /// Tries bubblewrap with a program that does nothing.
  static Sandbox detect();
  explicit Sandbox(Kind kind, std::string reason = "");

  Kind kind() const { return kind_; }
  /// One line for the user: which sandbox, and why not a better one.
  std::string description() const;

  /// `command`: the program's absolute path and its arguments. Waits for its end. Throws Error(io) when it
  /// could not be started, Error(unsupported) when the policy needs isolation and there is none,
  /// Error(invalid_argument) for a policy or files that make no sense; what the program does is a result.
  SandboxResult run(const std::vector<std::string>& command, std::string_view input,
                    const SandboxPolicy& policy, std::span<const SandboxFile> files = {},
                    const SandboxReader& reader = {}) const;

 private:
  void check(const SandboxPolicy& policy, std::span<const SandboxFile> files) const;

  Kind kind_;
  std::string reason_;
  std::vector<unsigned char> reading_filter_, working_filter_;  // BPF programs: arrays of sock_filter
};

}  // namespace r1
