// How much work a grammar may cost: everything that compiles a schema or an expression, and everything that
// finds masks, counts against one of these.
#pragma once

#include <cstdint>
#include <functional>

namespace r1::grammar {

struct BudgetLimits {
  int64_t states = 400'000;            // of automata and grammars
  int64_t bytes = int64_t{192} << 20;  // of what is being built
  int64_t steps = 60'000'000;          // elementary operations; some nanoseconds each
};

/// One thread at a time. Each function throws Error(invalid_argument) that names the limit when it is passed,
/// and Error(cancelled) soon after `cancelled` has begun to return true (asked every some thousand steps).
class Budget {
 public:
  Budget() = default;
  explicit Budget(const BudgetLimits& limits, std::function<bool()> cancelled = nullptr)
      : limits_(limits), cancelled_(std::move(cancelled)) {}

  void add_states(int64_t count);
  void add_bytes(int64_t count);
  void add_steps(int64_t count) {
    steps_ += count;
    if (steps_ >= next_look_) look();
  }

  const BudgetLimits& limits() const { return limits_; }
  int64_t states() const { return states_; }
  int64_t bytes() const { return bytes_; }
  int64_t steps() const { return steps_; }

 private:
  void look();

  BudgetLimits limits_;
  std::function<bool()> cancelled_;
  int64_t states_ = 0, bytes_ = 0, steps_ = 0, next_look_ = 0;
};

}  // namespace r1::grammar
