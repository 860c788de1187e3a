// Drafts the next tokens by finding the sequence's latest words earlier in the sequence (Saxena: Prompt
// Lookup Decoding, 2023): R1 quotes its question and repeats its own lines.
//
// The last 3 tokens are looked up in chains of equal hash, newest first; of the first 32 candidates the one
// with the longest agreement backwards wins (the newest of equals). What follows it is the draft. The draft's
// length adapts: twice as long after a draft that was accepted whole, else one more than was accepted.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace r1 {

class PromptLookup {
 public:
  /// At most `limit` tokens that may follow `tokens` (the whole sequence; it only ever grows at its end).
  std::vector<int32_t> draft(std::span<const int32_t> tokens, int64_t limit);
  /// What became of the last draft.
  void report(int64_t drafted, int64_t accepted);

 private:
  std::unordered_map<uint64_t, int32_t> newest_;  // hash of 3 tokens → index behind them
  std::vector<int32_t> previous_;                 // index → the one before it in its chain, -1: none
  int64_t length_ = 4;                            // of the next draft
};

}  // namespace r1
