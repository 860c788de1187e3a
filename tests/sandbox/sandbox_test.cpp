#include "sandbox/sandbox.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/error.h"

namespace r1 {
namespace {

using End = SandboxResult::End;

const Sandbox& detected() {
  static const Sandbox sandbox = Sandbox::detect();
  return sandbox;
}

#define R1_REQUIRE_BUBBLEWRAP() \
  if (detected().kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << detected().description()

SandboxResult child(const Sandbox& sandbox, const std::string& what, const SandboxPolicy& policy = {}) {
  return sandbox.run({R1_SANDBOX_CHILD, what}, "", policy);
}

/// For solutions of programming tasks: an interpreter or a compiler and what it made.
SandboxPolicy solution_policy() {
  SandboxPolicy policy;
  policy.writable_bytes = 64 << 20;
  policy.processes = 16;
  policy.cpu_seconds = 20;
  return policy;
}

TEST(Sandbox, HoldsAReaderThatWasTakenOver) {
  R1_REQUIRE_BUBBLEWRAP();
  const SandboxResult result = child(detected(), "probe");
  EXPECT_EQ(result.output, "socket 0 write 0 work 0 read 0 fork 0 unshare 0 home 0 inherited 0")
      << result.messages;
}

TEST(Sandbox, TheFilterAloneStillLeavesReadingOnly) {
  const SandboxResult result = child(Sandbox(Sandbox::Kind::filter_only), "probe");
  EXPECT_EQ(result.output, "socket 0 write 0 work 0 read 1 fork 0 unshare 0 home 0 inherited 0")
      << result.messages;
  EXPECT_FALSE(std::filesystem::exists("/tmp/r1-sandbox-probe"));
}

TEST(Sandbox, HoldsAProgramThatMayWork) {
  R1_REQUIRE_BUBBLEWRAP();
  const SandboxResult result = child(detected(), "probe", solution_policy());
  EXPECT_EQ(result.output, "socket 0 write 0 work 1 read 0 fork 1 unshare 0 home 1 inherited 0")
      << result.messages;
}

class SandboxLimits : public testing::TestWithParam<Sandbox::Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Sandbox::Kind::bubblewrap) R1_REQUIRE_BUBBLEWRAP();
  }
  Sandbox sandbox_{GetParam()};
  SandboxPolicy policy_;
};

TEST_P(SandboxLimits, WallTime) {
  policy_.wall_time = std::chrono::milliseconds(300);
  EXPECT_EQ(child(sandbox_, "spin", policy_).end, End::out_of_time);
}

TEST_P(SandboxLimits, WallTimeOfAProgramThatClosesItsOutput) {
  policy_.wall_time = std::chrono::milliseconds(300);
  EXPECT_EQ(child(sandbox_, "vanish", policy_).end, End::out_of_time);
}

TEST_P(SandboxLimits, ProcessorTime) {
  policy_.cpu_seconds = 1;
  const SandboxResult result = child(sandbox_, "spin", policy_);
  EXPECT_EQ(result.end, End::killed_by_signal) << result.code << result.messages;
}

TEST_P(SandboxLimits, Output) {
  policy_.output_bytes = 1 << 20;
  EXPECT_EQ(child(sandbox_, "fill", policy_).end, End::too_much_output);
}

TEST_P(SandboxLimits, Memory) {
#ifndef NDEBUG
  GTEST_SKIP() << "sanitizers take their own memory";
#endif
  policy_.memory_bytes = 256 << 20;
  const SandboxResult result = child(sandbox_, "grow", policy_);
  EXPECT_EQ(result.end, End::killed_by_signal) << result.code << result.messages;
}

INSTANTIATE_TEST_SUITE_P(, SandboxLimits,
                         testing::Values(Sandbox::Kind::bubblewrap, Sandbox::Kind::filter_only),
                         [](const auto& kind) {
                           return kind.param == Sandbox::Kind::bubblewrap ? "bubblewrap" : "filter_only";
                         });

TEST(Sandbox, LimitsProcesses) {
  R1_REQUIRE_BUBBLEWRAP();
  for (const int processes : {2, 16}) {
    SandboxPolicy policy = solution_policy();
    policy.processes = processes;
    EXPECT_EQ(child(detected(), "multiply", policy).output, std::to_string(processes));
  }
}

TEST(Sandbox, RunsPythonOnItsInput) {
  R1_REQUIRE_BUBBLEWRAP();
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "python3 is not installed";
  const std::array files{
      SandboxFile{"solution.py", "import random\nprint(sum(map(int, input().split())))\n"}};
  const SandboxResult result =
      detected().run({"/usr/bin/python3", "solution.py"}, "20 22\n", solution_policy(), files);
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.output, "42\n") << result.messages;
}

TEST(Sandbox, CompilesAndRunsASolution) {
  R1_REQUIRE_BUBBLEWRAP();
  if (!std::filesystem::exists("/usr/bin/g++")) GTEST_SKIP() << "g++ is not installed";
  const std::array files{
      SandboxFile{"solution.cpp",
                  "#include <cstdio>\nint main() { int a, b; std::scanf(\"%d%d\", &a, &b); "
                  "std::printf(\"%d\", a * b); }\n"}};
  const SandboxResult result = detected().run(
      {"/usr/bin/sh", "-c", "g++ solution.cpp -o solution && ./solution"}, "6 7\n", solution_policy(), files);
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.output, "42") << result.messages;
}

TEST(Sandbox, TheWritableFolderIsSmallAndEmptyAtEachStart) {
  R1_REQUIRE_BUBBLEWRAP();
  SandboxPolicy policy = solution_policy();
  policy.writable_bytes = 1 << 20;
  for (int time = 0; time < 2; ++time) {
    const SandboxResult result = detected().run(
        {"/usr/bin/sh", "-c", "ls; head -c 3000000 /dev/zero > big; wc -c < big; touch more/x || echo no"},
        "", policy);
    EXPECT_EQ(result.output, "1048576\nno\n") << result.messages;
  }
  // Many files cannot go past it either, one byte each.
  const SandboxResult many = detected().run(
      {"/usr/bin/sh", "-c",
       "i=0; while [ $i -lt 3000 ] && echo x > f$i; do i=$((i + 1)); done 2>&-; [ $i -lt 300 ] && echo held"},
      "", policy);
  EXPECT_EQ(many.output, "held\n") << many.messages;
}

TEST(Sandbox, RefusesWhatAFilterAloneCannotHold) {
  const Sandbox filter(Sandbox::Kind::filter_only, "user name spaces are off");
  for (int what = 0; what < 2; ++what) {
    SandboxPolicy policy;
    if (what == 0) policy.writable_bytes = 1 << 20;
    if (what == 1) policy.processes = 2;
    try {
      filter.run({"/usr/bin/true"}, "", policy);
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      EXPECT_STREQ(error.what(),
                   "sandbox: a program that may write files or start processes needs bubblewrap: user name "
                   "spaces are off");
    }
  }
}

TEST(Sandbox, RefusesPoliciesAndFilesThatMakeNoSense) {
  R1_REQUIRE_BUBBLEWRAP();
  SandboxPolicy none;
  none.processes = 0;
  EXPECT_THROW(detected().run({"/usr/bin/true"}, "", none), Error);
  for (const std::string name : {"", "..", "../x", "a/b"}) {
    const std::array files{SandboxFile{name, "x"}};
    EXPECT_THROW(detected().run({"/usr/bin/true"}, "", solution_policy(), files), Error) << name;
  }
  const std::array files{SandboxFile{"x", "x"}};
  EXPECT_THROW(detected().run({"/usr/bin/true"}, "", SandboxPolicy{}, files), Error);
}

}  // namespace
}  // namespace r1
