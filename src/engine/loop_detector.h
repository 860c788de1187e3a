// Notices an answer that only repeats itself.
//
// Rule: the answer's tail is exactly periodic with a period of p ≤ 512 tokens, at least 4 periods long and at
// least 256 tokens long. Exact repetition of that length does not occur in prose or proofs; a request for a
// thousand equal lines would be cut, which is why a request has to ask for detection.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace r1 {

class LoopDetector {
 public:
  static constexpr int64_t kLongestPeriod = 512;
  static constexpr int64_t kRepeats = 4;
  static constexpr int64_t kShortestTail = 256;

  LoopDetector() : agreeing_(kLongestPeriod + 1, 0) {}

  /// `generated`: all generated tokens; called once for each, with it as the last. True: a loop. About 0.2
  /// µs.
  bool add(std::span<const int32_t> generated) {
    const int64_t last = std::ssize(generated) - 1;
    const int32_t token = generated[last];
    bool loop = false;
    for (int64_t period = 1; period <= kLongestPeriod && period <= last; ++period) {
      const bool agrees = generated[last - period] == token;
      agreeing_[period] = agrees ? agreeing_[period] + 1 : 0;
      const int64_t tail = agreeing_[period] + period;
      loop |= tail >= kShortestTail && tail >= kRepeats * period;
    }
    return loop;
  }

 private:
  std::vector<int32_t> agreeing_;  // for each period: tokens at the tail that equal the one a period earlier
};

}  // namespace r1
