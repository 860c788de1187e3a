// Solutions of programming tasks, run on tests in the sandbox: one sandbox a solution, one process a test.
//
// A driver (driver.py) is the sandbox's first program. It compiles, starts a process for each test with limits of its own, and hands
// outputs back. Outputs are compared here: an expected output never enters the sandbox. A test that is code (asserts) runs
// in the driver's process, the solution in another that answers calls with plain values, so that a solution can neither read the test
// nor report for it.
//
// All functions may be called from several threads. They throw Error(unsupported) where the sandbox cannot isolate or
// python3 (for C++ also g++) is not installed; whatever the solution does is a result.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/code/code_block.h"

namespace r1 {
class Sandbox;
}

namespace r1::eval {

/// The texts of driver.py, driver_asserts.py and driver_project.py.
extern const std::string_view kDriverScript, kDriverAsserts, kDriverProject;

struct Solution {
  Language language = Language::python;
  std::string code{};
};

struct TestLimits {
  double cpu_seconds = 6;                         // of one test, of each process
  double wall_seconds = 30;                       // of one test: much higher, since a machine has other work
  int64_t memory_bytes = int64_t{2} << 30;        // address space of each process
  int64_t total_memory_bytes = int64_t{3} << 30;  // of all processes together
  int64_t output_bytes = int64_t{16} << 20;       // of one test
  int processes = 32;                             // processes and threads at a time
};

struct CodeTests {
  enum class Kind {
    standard_input,  // inputs: texts; the output is what the program prints
    function,        // inputs: one JSON argument a line; the output is the value as JSON
    asserts,  // one input: Python code that calls `entry`, or check(entry), and raises where it is wrong
  };
  Kind kind = Kind::standard_input;
  std::string entry{};  // a function, or a method of class Solution
  std::vector<std::string> inputs{};
  std::string preamble{};       // Python code that precedes the solution
  std::string test_preamble{};  // asserts: Python code that precedes the test
  std::function<bool(size_t test, std::string_view output)> accept{};  // but for asserts
};

struct CodeResult {
  enum class End {
    passed,        // all tests
    wrong_answer,  // or a failed assertion
    time_limit,
    memory_limit,
    output_limit,
    runtime_error,
    compile_error,
    unsupported,  // the test needs what a separate process cannot give: no verdict
  };
  End end = End::passed;
  int64_t test = -1;      // 0-based: the first that failed; -1: none, or before the tests
  std::string message{};  // of the program or compiler, one line
};

/// "wrong answer in test 3", "compile error: …", "passed 12 tests".
std::string describe(const CodeResult& result, size_t tests);

/// Stops at the first test that fails. C++ solutions have standard input only.
CodeResult run_tests(const Sandbox& sandbox, const Solution& solution, const CodeTests& tests,
                     const TestLimits& limits = {});

/// Files of a project, and commands of a shell that run in its folder, one after the other.
struct Project {
  struct File {
    std::string path;  // relative, checked by the caller (is_safe_path)
    std::string bytes;
  };
  std::vector<File> files{};
  std::string copied_folder{};          // of this machine, copied in first, without .git; empty: none
  std::vector<std::string> removed{};   // relative paths
  std::vector<std::string> commands{};  // for sh
  std::vector<std::string> programs{};  // further folders that are seen, read-only
};

struct CommandResult {
  CodeResult::End end = CodeResult::End::passed;  // passed: exit status 0
  std::string message{};
  std::string output{};  // standard output and error, the last 64 KiB
};

/// One result a command, fewer where the sandbox as a whole reached a limit: then the last says which.
std::vector<CommandResult> run_project(const Sandbox& sandbox, const Project& project,
                                       const TestLimits& limits);

}  // namespace r1::eval
