// The child of the extraction tests: what `r1 extract-child` is, and stand-ins for a reader that goes wrong.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "server/content/extraction.h"

namespace {

/// What a reader that was taken over could do.
int probe() {
  const int socket_made = socket(AF_INET, SOCK_STREAM, 0);
  const int written = open("/tmp/r1-sandbox-probe", O_WRONLY | O_CREAT, 0600);
  const int secret = open("/etc/passwd", O_RDONLY);
  int inherited = 0;
  for (int descriptor = 3; descriptor < 256; ++descriptor)
    inherited += fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0;
  inherited -= (socket_made >= 0) + (written >= 0) + (secret >= 0);
  std::printf("socket %d write %d read %d home %d inherited %d", socket_made >= 0, written >= 0, secret >= 0,
              std::getenv("HOME") != nullptr, inherited);
  std::fflush(stdout);
  return 0;
}

}  // namespace

// Ends by _exit(), as `r1 extract-child` does: a sanitizer's search for leaks at the end needs what the
// sandbox refuses, and would make every reader fail.
int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "probe") _exit(probe());
  if (what == "spin") {
    while (true) getpid();
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
  _exit(r1::site::run_extract_child({argv + 1, argv + argc}));
}
