// Random numbers that depend on a seed and a counter alone, not on how often they were asked for: the
// token at position p of a sequence gets the same draw whatever ran before or beside it.
#pragma once

#include <cstdint>

namespace r1 {

/// SplitMix64's output function (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
inline uint64_t mix_bits(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

/// 64 random bits for draw `counter` of stream `seed`.
inline uint64_t random_bits(uint64_t seed, uint64_t counter) {
  return mix_bits(mix_bits(seed) ^ mix_bits(~counter));
}

/// A double in [0, 1) with 53 random bits.
inline double random_uniform(uint64_t seed, uint64_t counter) {
  return static_cast<double>(random_bits(seed, counter) >> 11) * 0x1.0p-53;
}

}  // namespace r1
