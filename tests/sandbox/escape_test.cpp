// Programs that try to get out, to take more than they are given, or to outlive their time.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "sandbox/sandbox.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

using End = SandboxResult::End;

class SandboxEscape : public testing::Test {
 protected:
  void SetUp() override {
    if (sandbox_.kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << sandbox_.description();
    if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "python3 is not installed";
    policy_.writable_bytes = 32 << 20;
    policy_.processes = 16;
    policy_.cpu_seconds = 20;
  }

  SandboxResult python(const std::string& code) {
    return sandbox_.run({"/usr/bin/python3", "-I", "-B", "-c", code}, "", policy_);
  }

  /// What the expression is inside, or the name of the exception that it raises.
  std::string value(const std::string& setup, const std::string& expression) {
    const SandboxResult result =
        python("import os, socket, ctypes, signal, errno\n" + setup + "\ntry: print(" + expression +
               ")\nexcept Exception as error: print(type(error).__name__)\n");
    return result.output.substr(0, result.output.find('\n')) + result.messages;
  }

  Sandbox sandbox_ = Sandbox::detect();
  SandboxPolicy policy_;
};

TEST_F(SandboxEscape, Network) {
  EXPECT_EQ(value("", "socket.socket()"), "PermissionError");
  EXPECT_EQ(value("", "socket.socketpair()"), "PermissionError");
  EXPECT_EQ(value("", "socket.gethostbyname('localhost')"), "gaierror");
}

TEST_F(SandboxEscape, FilesOutside) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "secret") << "expected output";
  EXPECT_EQ(value("", "open('" + (folder / "secret").string() + "').read()"), "FileNotFoundError");
  EXPECT_EQ(value("", "open('/etc/passwd').read()"), "FileNotFoundError");
  EXPECT_EQ(value("", "sorted(os.listdir('/'))"), "['bin', 'dev', 'etc', 'lib', 'lib64', 'scratch', 'usr']");
  EXPECT_EQ(value("", "os.listdir('/etc')"), "['ld.so.cache']");
  EXPECT_EQ(value("", "open('/usr/x', 'w')"), "OSError");
  EXPECT_EQ(value("", "open('/x', 'w')"), "OSError");
  EXPECT_EQ(value("", "open('/program', 'w')"), "OSError");
}

TEST_F(SandboxEscape, SymbolicLinksAndRelativePathsStayInside) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "secret") << "expected output";
  EXPECT_EQ(value("os.symlink('" + folder.path.string() + "', 'link')", "open('link/secret').read()"),
            "FileNotFoundError");
  EXPECT_EQ(value("", "open('../../../../../etc/passwd').read()"), "FileNotFoundError");
  EXPECT_EQ(value("", "os.link('/usr/bin/python3', 'hard')"), "OSError");
  EXPECT_EQ(value("", "os.chroot('.')"), "PermissionError");
}

TEST_F(SandboxEscape, ThereIsNoProc) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "sanitizers read /proc";
#endif
  EXPECT_EQ(value("", "os.listdir('/proc')"), "FileNotFoundError");
  EXPECT_EQ(value("", "os.path.exists('/sys')"), "False");
}

TEST_F(SandboxEscape, OtherProcessesCannotBeSeenOrSignalled) {
  // Number 1 is the sandbox's own; the caller has no number inside.
  EXPECT_EQ(value("", "os.getppid()"), "1");
  EXPECT_EQ(value("", "os.kill(" + std::to_string(getpid()) + ", signal.SIGKILL)"), "ProcessLookupError");
  EXPECT_EQ(value("", "os.kill(-1, 0)"), "ProcessLookupError");
  const SandboxResult result = python("import os, signal\nos.kill(1, signal.SIGKILL)\nprint('still here')");
  EXPECT_EQ(result.output, "still here\n");
  EXPECT_EQ(result.end, End::exited);
}

TEST_F(SandboxEscape, NoOtherUserAndNoCapability) {
  EXPECT_EQ(value("", "os.setuid(0)"), "PermissionError");
  EXPECT_EQ(value("", "os.setgroups([0])"), "PermissionError");
  // A program with the set-user bit, of one's own making, changes nothing: no new privileges.
  EXPECT_EQ(value("libc = ctypes.CDLL(None)", "libc.prctl(39, 0, 0, 0, 0)"), "1");
  for (const char* call : {"unshare(0x10000000)", "mount(0, 0, 0, 0, 0)", "ptrace(0, 0, 0, 0)", "setns(0, 0)",
                           "umount2(b'/', 0)", "sethostname(b'x', 1)"}) {
    EXPECT_EQ(value("libc = ctypes.CDLL(None, use_errno=True)",
                    "(libc." + std::string(call) + ", errno.errorcode[ctypes.get_errno()])"),
              "(-1, 'EPERM')")
        << call;
  }
}

TEST_F(SandboxEscape, MemoryThatNoLimitCounts) {
  EXPECT_EQ(value("", "os.memfd_create('x')"), "PermissionError");
  EXPECT_EQ(value("", "open('/dev/x', 'w')"), "OSError");
  EXPECT_EQ(value("libc = ctypes.CDLL(None, use_errno=True)", "libc.shmget(0, 1 << 30, 0o1600)"), "-1");
  EXPECT_EQ(value("file = open('/dev/shm/x', 'wb')", "file.write(b'x' * (64 << 20))"), "OSError");
}

TEST_F(SandboxEscape, SemaphoresOfProcessesWork) {
  EXPECT_EQ(value("import multiprocessing\nlock = multiprocessing.Lock()", "lock.acquire()"), "True");
}

TEST_F(SandboxEscape, AHugeFile) {
  EXPECT_EQ(value("file = open('big', 'wb')", "file.truncate(1 << 40)"), "OSError");
  EXPECT_EQ(value("file = open('big', 'wb')", "[file.write(b'x' * (1 << 20)) for i in range(64)]"),
            "OSError");
}

TEST_F(SandboxEscape, AForkBombEndsWithItsTime) {
  policy_.wall_time = std::chrono::milliseconds(1500);
  const auto start = std::chrono::steady_clock::now();
  const SandboxResult result = python("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n");
  EXPECT_EQ(result.end, End::out_of_time);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));  // a hang, not a speed
}

TEST_F(SandboxEscape, AProcessThatLeavesItsSessionEndsWithTheProgram) {
  // It keeps standard output open and would run for ever.
  policy_.wall_time = std::chrono::milliseconds(20'000);
  const SandboxResult result = python(
      "import os, time, sys\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(1000)\n"
      "  os._exit(0)\nprint('done')\n");
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.output, "done\n");
}

TEST_F(SandboxEscape, MemoryOfAllProcessesTogether) {
  policy_.memory_bytes = 512 << 20;
  policy_.total_memory_bytes = 300 << 20;
  const SandboxResult result = python(
      "import os, time\nfor i in range(8):\n  if os.fork() == 0:\n    data = bytearray(os.urandom(1) * (100 "
      "<< "
      "20))\n    time.sleep(60)\n    os._exit(0)\ntime.sleep(60)\n");
  EXPECT_EQ(result.end, End::out_of_memory);
}

TEST_F(SandboxEscape, ProcessesThatShareTheirMemoryCountOnce) {
  policy_.memory_bytes = 512 << 20;
  policy_.total_memory_bytes = 300 << 20;
  const SandboxResult result = python(
      "import os, time\ndata = bytearray(os.urandom(1) * (100 << 20))\nfor i in range(8):\n  if os.fork() == "
      "0:\n"
      "    time.sleep(0.5)\n    os._exit(0)\nfor i in range(8): os.wait()\nprint('done')\n");
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.output, "done\n") << result.messages;
}

TEST_F(SandboxEscape, SleepingEndsWithTheQuietTime) {
  policy_.quiet_time = std::chrono::milliseconds(300);
  EXPECT_EQ(python("import time\ntime.sleep(1000)").end, End::out_of_time);
}

TEST_F(SandboxEscape, AReaderSeesOutputAndStopsTheProgram) {
  std::string seen;
  const SandboxResult result =
      sandbox_.run({"/usr/bin/python3", "-c", "import time\nprint('first', flush=True)\ntime.sleep(1000)"},
                   "", policy_, {}, [&](std::string_view piece) {
                     seen += piece;
                     return false;
                   });
  EXPECT_EQ(result.end, End::stopped);
  EXPECT_EQ(seen, "first\n");
  EXPECT_EQ(result.output, "");
}

TEST_F(SandboxEscape, AReaderThatThrowsEndsTheProgram) {
  const auto run = [&] {
    sandbox_.run({"/usr/bin/python3", "-c", "import time\nprint('x', flush=True)\ntime.sleep(1000)"}, "",
                 policy_, {}, [](std::string_view) -> bool { throw std::runtime_error("reader"); });
  };
  EXPECT_THROW(run(), std::runtime_error);
}

}  // namespace
}  // namespace r1
