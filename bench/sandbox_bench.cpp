// Programs a second in the sandbox: short Python solutions, each with one test, as a benchmark's grading runs them.
//   sandbox_bench [programs] [threads]
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "eval/code/code_runner.h"
#include "sandbox/sandbox.h"

int main(int argc, char** argv) {
  const int programs = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
  const r1::Sandbox sandbox = r1::Sandbox::detect();
  fmt::print("{}\n", sandbox.description());
  std::atomic<int> next{0}, passed{0};
  const auto work = [&] {
    for (int i = next++; i < programs; i = next++) {
      r1::eval::CodeTests tests;
      tests.inputs = {fmt::format("{} 7\n", i)};
      tests.accept = [&](size_t, std::string_view output) { return output == fmt::format("{}\n", i + 7); };
      const r1::eval::Solution solution{r1::eval::Language::python,
                                        "print(sum(map(int, input().split())))\n"};
      if (r1::eval::run_tests(sandbox, solution, tests).end == r1::eval::CodeResult::End::passed) ++passed;
    }
  };
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) workers.emplace_back(work);
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{} of {} programs passed in {:.1f} s on {} threads: {:.1f} ms a program\n", passed.load(),
             programs, seconds.count(), threads, 1000 * seconds.count() / programs);
  return passed == programs ? 0 : 1;
}
