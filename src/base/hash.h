// A hash of short texts and lists that is the same on every machine.
#pragma once

#include <cstdint>
#include <type_traits>

namespace r1 {

/// FNV-1a of 64 bits (Fowler, Noll and Vo, 1991), an item (a byte of a text) a step. Not for hostile input where
/// collisions cost.
template <typename Items>
constexpr uint64_t fnv1a(const Items& items) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto item : items) {
    hash = (hash ^ static_cast<std::make_unsigned_t<std::remove_const_t<decltype(item)>>>(item)) *
           0x100000001b3ULL;
  }
  return hash;
}

}  // namespace r1
