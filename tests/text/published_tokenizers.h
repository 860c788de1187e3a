// The published tokenizer files that tools/fetch_test_tokenizers.sh fetches.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "text/tokenizer.h"

namespace r1::testing {

inline std::filesystem::path published_tokenizer_folder(const std::string& name) {
  return (std::filesystem::path(R1_TEST_FIXTURES) / "../../build/fixtures/tokenizers" / name)
      .lexically_normal();
}

inline std::string read_whole_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Tokenizer published_tokenizer(const std::string& name) {
  const auto folder = published_tokenizer_folder(name);
  return Tokenizer::from_hub(read_whole_file(folder / "tokenizer.json"),
                             read_whole_file(folder / "tokenizer_config.json"));
}

}  // namespace r1::testing

/// Skips the test, saying so, where the file was not fetched.
#define R1_REQUIRE_PUBLISHED_TOKENIZER(name)                                                           \
  if (!std::filesystem::exists(r1::testing::published_tokenizer_folder(name) / "tokenizer.json")) {    \
    GTEST_SKIP() << "skipped: no tokenizer.json of " << (name) << " (tools/fetch_test_tokenizers.sh)"; \
  }
