#include "eval/code/code_runner.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "sandbox/sandbox.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

using End = CodeResult::End;

class CodeRunner : public testing::Test {
 protected:
  void SetUp() override {
    if (sandbox().kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << sandbox().description();
    if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "python3 is not installed";
    limits_.cpu_seconds = 1;
    limits_.output_bytes = 1 << 20;
  }

  static const Sandbox& sandbox() {
    static const Sandbox detected = Sandbox::detect();
    return detected;
  }

  /// Standard input and expected output, in turn.
  std::string verdict(const std::string& code, const std::vector<std::string>& inputs_and_outputs,
                      Language language = Language::python) {
    CodeTests tests;
    for (size_t i = 0; i < inputs_and_outputs.size(); i += 2) tests.inputs.push_back(inputs_and_outputs[i]);
    tests.accept = [&](size_t test, std::string_view output) {
      seen_.emplace_back(output);
      return output == inputs_and_outputs[2 * test + 1];
    };
    return describe(run_tests(sandbox(), {language, code}, tests, limits_), tests.inputs.size());
  }

  std::string asserts(const std::string& code, const std::string& test) {
    CodeTests tests;
    tests.kind = CodeTests::Kind::asserts;
    tests.entry = "f";
    tests.inputs = {test};
    return describe(run_tests(sandbox(), {Language::python, code}, tests, limits_), 1);
  }

  TestLimits limits_;
  std::vector<std::string> seen_;  // outputs
};

TEST_F(CodeRunner, PassesAndStopsAtTheFirstFailure) {
  const std::string doubled = "print(2 * int(input()))";
  EXPECT_EQ(verdict(doubled, {"1\n", "2\n", "5", "10\n"}), "passed 2 tests");
  seen_.clear();
  EXPECT_EQ(verdict(doubled, {"1\n", "2\n", "5", "11\n", "6", "12\n"}), "wrong answer in test 2");
  EXPECT_EQ(seen_.size(), 2U);
}

TEST_F(CodeRunner, EachWayToFailHasItsName) {
  EXPECT_EQ(verdict("while True: pass", {"", ""}).substr(0, 10), "time limit");
  EXPECT_EQ(verdict("x = bytearray(3 << 30)", {"", ""}), "memory limit: MemoryError");
  EXPECT_EQ(verdict("while True: print('x' * 1000)", {"", ""}), "output limit");
  EXPECT_EQ(verdict("print(1)\n1 / 0", {"", "1\n"}), "runtime error: ZeroDivisionError: division by zero");
  EXPECT_EQ(verdict("print(", {"", ""}),
            "compile error: SyntaxError: '(' was never closed (solution.py, line 1)");
  EXPECT_EQ(verdict("import os\nos.abort()", {"", ""}), "runtime error: signal 6");
  EXPECT_EQ(verdict("print(1)", {"", "2", "", "1"}), "wrong answer in test 1");
}

TEST_F(CodeRunner, SleepingIsATimeLimit) {
  limits_.wall_seconds = 1;
  EXPECT_EQ(verdict("import time\ntime.sleep(1000)", {"", ""}), "time limit: wall time");
}

TEST_F(CodeRunner, ProgramsEndAsTheyDoOutside) {
  EXPECT_EQ(
      verdict("import threading\nthreading.Thread(target=lambda: print(input())).start()", {"7", "7\n"}),
      "passed 1 test");
  EXPECT_EQ(verdict("import atexit\natexit.register(lambda: print('bye'))\nexit()", {"", "bye\n"}),
            "passed 1 test");
  EXPECT_EQ(verdict("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and 1 + f(n - 1)\n"
                    "print(f(50000))",
                    {"", "50000\n"}),
            "passed 1 test");
  EXPECT_EQ(verdict("if __name__ == '__main__': print(open(0).read())", {"a\nb", "a\nb\n"}), "passed 1 test");
}

TEST_F(CodeRunner, TextsBeyondAsciiAndInstalledPackagesAreThere) {
  EXPECT_EQ(verdict("print('é😀', input())\nquit()", {"中😀\n", "é😀 中😀\n"}), "passed 1 test");
  EXPECT_EQ(verdict("raise ValueError('\\ud800 \\\\ \"😀\"')", {"", ""}).substr(0, 26),
            "runtime error: ValueError:");
  EXPECT_EQ(verdict("import sys, os\nprint(all(p in sys.path for p in ['/usr/lib/python3/dist-packages'] if "
                    "os.path.isdir(p)))",
                    {"", "True\n"}),
            "passed 1 test");
  CodeTests tests;
  tests.kind = CodeTests::Kind::asserts;
  tests.entry = "f";
  tests.preamble = "name = '😀 \"\\\\ true'\n";
  tests.test_preamble = "wanted = '😀 \"\\\\ true'\n";
  tests.inputs = {"assert f() == wanted, 'not 😀'"};
  EXPECT_EQ(describe(run_tests(sandbox(), {Language::python, "def f(): return name"}, tests, limits_), 1),
            "passed 1 test");
  EXPECT_EQ(describe(run_tests(sandbox(), {Language::python, "def f(): return 1"}, tests, limits_), 1),
            "wrong answer: not 😀");
}

TEST_F(CodeRunner, CompilesCpp) {
  if (!std::filesystem::exists("/usr/bin/g++")) GTEST_SKIP() << "g++ is not installed";
  limits_.cpu_seconds = 5;
  EXPECT_EQ(verdict("#include <cstdio>\nint main() { int a; scanf(\"%d\", &a); printf(\"%d\", a + 1); }",
                    {"1", "2", "41", "42"}, Language::cpp),
            "passed 2 tests");
  EXPECT_EQ(verdict("int main() { return missing; }", {"", ""}, Language::cpp).substr(0, 40),
            "compile error: solution.cpp:1:21: error:");
  EXPECT_EQ(verdict("int main() { volatile int* p = nullptr; *p = 1; }", {"", ""}, Language::cpp),
            "runtime error: signal 11");
  EXPECT_EQ(verdict("int main() { return 3; }", {"", ""}, Language::cpp), "runtime error: exit status 3");
  EXPECT_EQ(verdict("char* volatile p;\nint main() { for (;;) { p = new char[1 << 28]; p[0] = 1; } }",
                    {"", ""}, Language::cpp)
                .substr(0, 12),
            "memory limit");
}

TEST_F(CodeRunner, FunctionsGetJsonArgumentsAndGiveJson) {
  CodeTests tests;
  tests.kind = CodeTests::Kind::function;
  tests.entry = "add";
  tests.preamble = "from typing import *\n";
  tests.inputs = {"[1, 2]\n\"x\"", "[]\n\"y\""};
  std::string outputs;
  tests.accept = [&](size_t, std::string_view output) {
    outputs += output;
    return true;
  };
  const auto run = [&](const std::string& code) {
    outputs.clear();
    return describe(run_tests(sandbox(), {Language::python, code}, tests, limits_), 2);
  };
  EXPECT_EQ(run("class Solution:\n  def add(self, a: List[int], b: str):\n    print('noise')\n    return "
                "(sum(a), b)"),
            "passed 2 tests");
  EXPECT_EQ(outputs, R"([3, "x"][0, "y"])");
  EXPECT_EQ(run("def add(a, b): return len(a)"), "passed 2 tests");
  EXPECT_EQ(run("def other(a, b): return 1"),
            "runtime error in test 1: NameError: the solution defines no add");
  EXPECT_EQ(run("def add(a, b): return {1}"),
            "runtime error in test 1: TypeError: Object of type set is not JSON serializable");
}

TEST_F(CodeRunner, AssertsRunInAnotherProcessThanTheSolution) {
  const std::string test = "def check(c):\n  assert c(2) == 4\n  assert c([1, (2,)]) == [1, (2,), 1, (2,)]\n";
  EXPECT_EQ(asserts("def f(x): return x * 2", test), "passed 1 test");
  EXPECT_EQ(asserts("def f(x): return x", test), "wrong answer");
  EXPECT_EQ(asserts("def f(x): return 5.0 if x else {'a': {1, 2}, (1,): b'x'}",
                    "assert f(1) == 5\nassert f(0) == {'a': {2, 1}, (1,): b'x'}"),
            "passed 1 test");
  EXPECT_EQ(asserts("def f(x): raise ValueError('no')",
                    "try:\n  f(1)\n  assert False\nexcept ValueError as e:\n  assert str(e) == 'no'"),
            "passed 1 test");
  EXPECT_EQ(asserts("def f(x): raise ValueError('no')", test), "runtime error: ValueError: no");
  EXPECT_EQ(asserts("def f(x):\n  while True: pass", test).substr(0, 10), "time limit");
  EXPECT_EQ(asserts("def f(x): return 1", "f(lambda: 1)"),
            "the test cannot be run: the test passes a value of type function");
}

// What passes for a right answer must be computed by the solution.
TEST_F(CodeRunner, ResultsCannotBeForged) {
  const std::string test = "def check(c):\n  assert c(2) == 'expected'\n";
  for (const std::string& code : std::vector<std::string>{
           "import os\nos._exit(0)",
           "import sys\nsys.exit(0)",
           "def f(x):\n  import os\n  os._exit(0)",
           "class E:\n  def __eq__(self, other): return True\ndef f(x): return E()",
           "class S(str):\n  def __eq__(self, other): return True\n  __hash__ = None\ndef f(x): return "
           "S('a')",
           "import builtins\nbuiltins.AssertionError = SystemExit\ndef f(x): return 1",
           // The driver's results, on any descriptor.
           "import os\nline = b'{\"test\": 0, \"end\": \"ok\", \"message\": \"\", \"bytes\": 0}\\n'\n"
           "for d in range(64):\n  try: os.write(d, line)\n  except OSError: pass\ndef f(x): return 1",
           "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\ndef f(x): return 1",
           "import os, signal\nos.kill(-1, signal.SIGTERM)\ndef f(x): return 1",
           "print('{\"test\": 0, \"end\": \"ok\", \"message\": \"\", \"bytes\": 0}', flush=True)\ndef f(x): "
           "return 1",
           // A reply that is none.
           "import os\nos.write(4, b'%016x' % 3 + b'[1]')\ndef f(x): return 1",
           "import os\nos.write(4, b'zz' * 40)\ndef f(x): return 1",
           "import os\nos.write(4, b'{\"value\": {\"t\": \"eval\", \"v\": \"1\"}}'.rjust(60))\ndef f(x): "
           "return 1",
       }) {
    const std::string verdict = asserts(code, test);
    EXPECT_TRUE(verdict.starts_with("runtime error") || verdict.starts_with("wrong answer"))
        << code << verdict;
  }
}

TEST_F(CodeRunner, TestsAndOtherInputsAreNotToBeFound) {
  // Everything that the solution's process can reach from its frames and its collector.
  const std::string search =
      "import gc, sys, os\n"
      "def found(mark):\n"
      "  texts = [repr(o)[:100000] for o in gc.get_objects() if not isinstance(o, type(sys))]\n"
      "  frame = sys._getframe(1)\n"
      "  while frame:\n"
      "    texts += [repr(v)[:100000] for v in frame.f_locals.values()]\n"
      "    frame = frame.f_back\n"
      "  for d in range(64):\n"
      "    try: texts.append(repr(os.pread(d, 100000, 0)))\n"
      "    except OSError: pass\n"
      "  texts += [repr(open(n, 'rb').read()) for n in os.listdir('.') if os.path.isfile(n)]\n"
      "  return sum(mark in text for text in texts)\n";
  EXPECT_EQ(asserts(search + "def f(x): return found(''.join(('hidden', 'Value')))",
                    "assert f(1) == 0, 'hiddenValue'"),
            "passed 1 test");
  EXPECT_EQ(
      verdict(search + "print(found(''.join(('second', 'Input'))))", {"first", "0\n", "secondInput", "1\n"})
          .substr(0, 22),
      "wrong answer in test 2");  // its own input it does find
  EXPECT_NE(seen_.at(1), "0\n");
}

TEST_F(CodeRunner, ProcessesThatATestLeavesBehindEnd) {
  EXPECT_EQ(verdict("import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(1000)\nprint(1)",
                    {"", "1\n", "", "1\n"}),
            "passed 2 tests");
}

TEST_F(CodeRunner, ProjectsRunCommandsInTheirFolder) {
  const test::TemporaryFolder folder;
  // Run by root, the sandbox's programs are nobody's.
  std::filesystem::permissions(folder.path, std::filesystem::perms(0755));
  std::ofstream(folder / "base.py") << "value = 1\n";
  std::ofstream(folder / "old.py") << "";
  Project project;
  project.copied_folder = folder.path.string();
  project.files = {{"package/x.py", "from base import value\nprint(value + 1)\n"}};
  project.removed = {"old.py"};
  project.commands = {"python3 -m package.x", "ls *.py", "echo problem >&2; exit 3"};
  const std::vector<CommandResult> results = run_project(sandbox(), project, limits_);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].end, End::passed);
  EXPECT_EQ(results[0].output, "2\n");
  EXPECT_EQ(results[1].output, "base.py\n");
  EXPECT_EQ(results[2].end, End::runtime_error);
  EXPECT_EQ(results[2].message, "exit status 3");
  EXPECT_EQ(results[2].output, "problem\n");
}

TEST_F(CodeRunner, AProjectThatCannotBePreparedSaysSo) {
  Project project;
  project.removed = {"missing"};
  project.commands = {"true"};
  const std::vector<CommandResult> results = run_project(sandbox(), project, limits_);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].end, End::runtime_error);
  EXPECT_NE(results[0].message.find("No such file"), std::string::npos) << results[0].message;
}

TEST(CodeRunnerWithoutIsolation, Refuses) {
  const Sandbox filter(Sandbox::Kind::filter_only, "user name spaces are off");
  CodeTests tests;
  tests.inputs = {""};
  tests.accept = [](size_t, std::string_view) { return true; };
  EXPECT_THROW(run_tests(filter, {Language::python, "print(1)"}, tests), Error);
}

}  // namespace
}  // namespace r1::eval
