// Where the reference answers live that are too large for the repository. A user's clone has none:
// tests that need them skip and say so.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

inline std::filesystem::path shared_path(const std::string& relative) {
  return std::filesystem::path(R1_SHARED_FOLDER) / relative;
}

#define R1_REQUIRE_SHARED(relative)                                      \
  do {                                                                   \
    if (!std::filesystem::exists(shared_path(relative)))                 \
      GTEST_SKIP() << "reference data not present: shared/" << relative; \
  } while (false)
