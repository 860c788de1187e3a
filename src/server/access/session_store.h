// Sessions of browsers, in SQLite: they outlive the server. Neither the session's token nor the key that
// opened it can be had from the file, which keeps SHA-256 hashes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "formats/database.h"

namespace r1::server {

/// SHA-256 in hexadecimal digits. For secrets of many random bits only: there is nothing to guess, so no salt
/// and no slow hash.
std::string secret_hash(std::string_view secret);

/// Safe to use from several threads. Functions throw Error as Database says.
class SessionStore {
 public:
  static constexpr int64_t kMaxSessions = 10'000;  // the oldest go first

  /// Opens or creates the file; ":memory:": nothing outlives it.
  explicit SessionStore(const std::filesystem::path& file);

  /// `ends`, `now`: seconds since 1970.
  void open(std::string_view token, const std::string& key_hash, int64_t ends, int64_t now);
  /// The hash of the key that opened it; nothing: there is no such session, or it is over.
  std::optional<std::string> key_hash_of(std::string_view token, int64_t now);
  void close(std::string_view token);

 private:
  std::mutex mutex_;
  Database database_;
};

}  // namespace r1::server
