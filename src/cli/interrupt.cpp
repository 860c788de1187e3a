#include "cli/interrupt.h"

#include <unistd.h>
#include <atomic>
#include <csignal>

namespace r1::cli {
namespace {

// A signal handler can reach nothing but a global. Other threads look at it as well (a download's, the one
// that cancels an answer), so it is an atomic, of a kind that a handler may use.
std::atomic<int> interrupt_count = 0;
static_assert(std::atomic<int>::is_always_lock_free);
struct sigaction previous_action;

void handle_interrupt(int) {
  if (interrupt_count.fetch_add(1) > 0) _exit(130);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupt_count = 0;
  struct sigaction action {};
  action.sa_handler = handle_interrupt;
  sigaction(SIGINT, &action, &previous_action);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &previous_action, nullptr);
}

bool InterruptGuard::interrupted() {
  return interrupt_count > 0;
}
void InterruptGuard::clear() {
  interrupt_count = 0;
}

}  // namespace r1::cli
