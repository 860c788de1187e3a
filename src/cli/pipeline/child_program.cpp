#include "cli/pipeline/child_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "cli/interrupt.h"

namespace r1::cli {
namespace {

constexpr const char* kThisProgram = "/proc/self/exe";

[[noreturn]] void fail(const char* what) {
  throw_error(ErrorKind::io, "child process: {}: {}", what, std::strerror(errno));
}

/// Starts the program with standard output and error in a pipe; returns its end to read.
int start(const std::vector<std::string>& arguments, pid_t& child) {
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) fail("pipe");
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), "r1");
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it died before
    setpgid(0, 0);                        // the terminal's Ctrl-C is for the pipeline, which passes it on
    const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output[1], STDOUT_FILENO) < 0 ||
        dup2(output[1], STDERR_FILENO) < 0)
      _exit(127);
    execv(kThisProgram, pointers.data());
    _exit(127);
  }
  close(output[1]);
  if (child < 0) {
    close(output[0]);
    fail("fork");
  }
  return output[0];
}

}  // namespace

ChildEnd run_child(const std::vector<std::string>& arguments, const std::filesystem::path& log,
                   const std::function<void(const std::string& line)>& on_line) {
  std::ofstream file(log, std::ios::app | std::ios::binary);
  if (!file) throw_error(ErrorKind::io, "{}: cannot open", log.string());
  pid_t child = -1;
  const int output = start(arguments, child);
  ChildEnd end;
  std::string line;
  std::array<char, 4096> buffer{};
  for (bool open = true; open;) {
    if (InterruptGuard::interrupted() && !end.interrupted) {
      end.interrupted = true;
      kill(child, SIGINT);
    }
    pollfd waited{output, POLLIN, 0};
    if (poll(&waited, 1, 200) <= 0) continue;
    const ssize_t got = read(output, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    open = got > 0;
    for (const char c : std::string_view(buffer.data(), static_cast<size_t>(std::max<ssize_t>(0, got)))) {
      if (c != '\n') {
        line += c;
        continue;
      }
      file << line << '\n';
      if (on_line) on_line(line);
      if (!line.empty()) end.last_line = std::move(line);
      line.clear();
    }
    file.flush();
  }
  close(output);
  if (!line.empty()) {
    file << line << '\n';
    end.last_line = line;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return end;
}

}  // namespace r1::cli
