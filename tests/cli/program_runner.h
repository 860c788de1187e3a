// Runs r1 as people call it: in a shell, in a folder of its own that is also its home.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/temporary_folder.h"

namespace r1::test {

struct Outcome {
  int code = -1;  // exit status
  std::string out, error;
};

class ProgramRunner : public ::testing::Test {
 protected:
  /// `input` is the program's standard input.
  Outcome call(const std::string& program, const std::string& arguments,
               const std::string& input = "") const {
    std::ofstream(folder_ / "input", std::ios::binary) << input;
    const std::string command = "cd " + folder_.string() + " && HOME=" + folder_.string() + " " + program +
                                " " + arguments + " <input 2>error";
    Outcome outcome;
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> buffer{};
    for (size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      outcome.out.append(buffer.data(), got);
    outcome.code = WEXITSTATUS(pclose(pipe));
    outcome.error = read("error");
    return outcome;
  }
  Outcome r1(const std::string& arguments, const std::string& input = "") const {
    return call(R1_PROGRAM, arguments, input);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

 private:
  TemporaryFolder temporary_;

 protected:
  const std::filesystem::path& folder_ = temporary_.path;
};

}  // namespace r1::test
