// A program that has been taken over: what it could do to the machine, and the ways in which it can go wrong.
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

bool can_write(const char* path) {
  const int file = open(path, O_WRONLY | O_CREAT, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

bool can_fork() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

int inherited() {
  int count = 0;
  for (int descriptor = 3; descriptor < 256; ++descriptor) count += fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

void probe() {
  const int descriptors = inherited();
  const int socket_made = socket(AF_INET, SOCK_STREAM, 0);
  const int secret = open("/etc/passwd", O_RDONLY);
  std::printf("socket %d write %d work %d read %d fork %d unshare %d home %d inherited %d", socket_made >= 0,
              can_write("/tmp/r1-sandbox-probe") || can_write("/usr/r1-sandbox-probe"),
              can_write("/scratch/r1-sandbox-probe"), secret >= 0, can_fork(), unshare(CLONE_NEWUSER) == 0,
              std::getenv("HOME") != nullptr, descriptors);
  std::fflush(stdout);
}

/// How many processes it can have at a time.
void multiply() {
  int count = 1;
  while (count < 1000) {
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) break;
    ++count;
  }
  std::printf("%d", count);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "probe") probe();
  if (what == "multiply") multiply();
  if (what == "spin") {
    while (true) getpid();
  }
  if (what == "vanish") {
    for (const int descriptor : {0, 1, 2}) close(descriptor);
    while (true) pause();
  }
  if (what == "fill") {
    while (std::printf("%s", std::string(65536, 'x').c_str()) > 0) {
    }
  }
  if (what == "grow") {
    for (std::vector<char*> all;; all.push_back(static_cast<char*>(std::malloc(1 << 20)))) {
      if (!all.empty()) std::memset(all.back(), 1, 1 << 20);
    }
  }
  _exit(0);
}
