#include "grammar/budget.h"

#include <algorithm>

#include "base/error.h"

namespace r1::grammar {
namespace {

constexpr int64_t kStepsBetweenLooks = 20'000;

}  // namespace

void Budget::add_states(int64_t count) {
  states_ += count;
  if (states_ > limits_.states)
    throw_error(ErrorKind::invalid_argument, "too large: more than {} states", limits_.states);
  add_steps(count);
}

void Budget::add_bytes(int64_t count) {
  bytes_ += count;
  if (bytes_ > limits_.bytes)
    throw_error(ErrorKind::invalid_argument, "too large: more than {} MiB", limits_.bytes >> 20);
}

void Budget::look() {
  if (steps_ > limits_.steps)
    throw_error(ErrorKind::invalid_argument, "too complex: more than {} steps", limits_.steps);
  next_look_ = std::min(steps_ + kStepsBetweenLooks, limits_.steps + 1);
  if (cancelled_ && cancelled_()) throw_error(ErrorKind::cancelled, "cancelled while a grammar was compiled");
}

}  // namespace r1::grammar
