// Lengths of time in seconds.
#pragma once

#include <chrono>

namespace r1 {

inline double seconds(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return seconds(start, std::chrono::steady_clock::now());
}

}  // namespace r1
