// Random choices of the corpus generator: a stream that depends on a seed alone.
#pragma once

#include <cstdint>
#include <iterator>

#include "base/random.h"

namespace r1::tasks {

class Draw {
 public:
  explicit Draw(uint64_t seed) : seed_(seed) {}

  /// A whole number in [low, high], both included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return static_cast<double>(bits() >> 11U) * 0x1.0p-53 < probability; }
  /// An element of an array or vector that is not empty.
  template <typename List>
  decltype(auto) pick(const List& list) {
    return list[static_cast<size_t>(between(0, static_cast<int64_t>(std::size(list)) - 1))];
  }

 private:
  uint64_t bits() { return random_bits(seed_, counter_++); }

  uint64_t seed_;
  uint64_t counter_ = 0;
};

}  // namespace r1::tasks
