// Ctrl-C as a flag that long work asks for.
#pragma once

namespace r1::cli {

/// While it lives, SIGINT sets a flag instead of ending the program; a second SIGINT before the flag was
/// cleared ends it. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
  static void clear();
};

}  // namespace r1::cli
