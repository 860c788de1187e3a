// r1 running beside a test, to be killed.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace r1::test {

/// r1 with a pipe from its standard output; killed at the end.
class BackgroundProgram {
 public:
  BackgroundProgram(const std::filesystem::path& folder, std::vector<std::string> words) {
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0) std::abort();
    words.insert(words.begin(), R1_PROGRAM);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string home = folder.string(), error = folder / "background error";
    child_ = fork();
    if (child_ == 0) {
      dup2(output[1], 1);
      dup2(open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
      if (chdir(home.c_str()) != 0) _exit(127);
      setenv("HOME", home.c_str(), 1);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(output[1]);
    output_ = output[0];
  }
  ~BackgroundProgram() {
    stop(SIGKILL);
    close(output_);
  }
  BackgroundProgram(const BackgroundProgram&) = delete;
  BackgroundProgram& operator=(const BackgroundProgram&) = delete;

  /// The first line that it prints.
  std::string first_line() const {
    std::string line;
    for (char c = 0; ::read(output_, &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  void stop(int signal) {
    if (child_ <= 0) return;
    kill(child_, signal);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }

 private:
  pid_t child_;
  int output_;
};

}  // namespace r1::test
