#include "cli/interrupt.h"

#include <unistd.h>
#include <csignal>

namespace r1::cli {
namespace {

// A signal handler can reach nothing but a global.
volatile std::sig_atomic_t interrupt_count = 0;
struct sigaction previous_action;

void handle_interrupt(int) {
  interrupt_count = interrupt_count + 1;
  if (interrupt_count > 1) _exit(130);
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
