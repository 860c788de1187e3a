// A file system that is soon full: a child process with a small tmpfs of its own, which needs no privileges.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

namespace r1::test {

constexpr int kNoNamespaces = 77;

/// Runs `body` in a child that has a tmpfs of `size` ("1m") mounted on the folder; returns its result,
/// kNoNamespaces where the system does not let us, -1 when it threw (said on stderr) or died.
template <class Body>
int on_small_disk(const std::filesystem::path& folder, const std::string& size, const Body& body) {
  const std::string user = fmt::format("0 {} 1", getuid()), group = fmt::format("0 {} 1", getgid());
  const auto put = [](const char* path, const std::string& text) {
    return static_cast<bool>((std::ofstream(path) << text).flush());
  };
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !put("/proc/self/uid_map", user) ||
        !put("/proc/self/setgroups", "deny") || !put("/proc/self/gid_map", group) ||
        mount("tmpfs", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0)
      _exit(kNoNamespaces);
    try {
      _exit(body());
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
      _exit(255);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

}  // namespace r1::test
