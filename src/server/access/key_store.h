// API keys: shown once when made, kept as SHA-256 hashes with their limits and what they used, in one SQLite
// file (formats/database.h says how durable). `r1 keys` writes it, also while a server has it open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/database.h"

namespace r1::server {

struct KeyLimits {
  int64_t concurrency = 0;      // requests that generate at the same time; 0: no limit
  int64_t tokens_a_minute = 0;  // prompt and answer, over the last 60 s; 0: no limit
  int32_t priority = 0;         // the highest that a request may ask for
};

struct KeyUsage {
  int64_t requests = 0, prompt_tokens = 0, generated_tokens = 0;
};

struct KeyRecord {
  std::string name;
  std::string hint;                  // the key's last four characters
  int64_t created = 0;               // seconds since 1970
  std::optional<int64_t> revoked;    // seconds since 1970
  std::optional<int64_t> last_used;  // seconds since 1970
  KeyLimits limits;
  KeyUsage usage;  // since it was made
};

/// Safe to use from several threads. All functions throw Error as Database says.
class KeyStore {
 public:
  /// Opens or creates the file.
  explicit KeyStore(const std::filesystem::path& file);

  /// Makes a key of 192 random bits and returns it, for the only time. Error(invalid_argument): the name is
  /// taken (also by a revoked key), or is not 1 to 64 characters of [A-Za-z0-9._-], or is
  /// "command-line".
  std::string create(const std::string& name, const KeyLimits& limits);
  /// Error(invalid_argument): there is no such key, or it is revoked already.
  void revoke(const std::string& name);
  std::vector<KeyRecord> list();

  /// The key's record; nothing: there is none, or it is revoked.
  std::optional<KeyRecord> find_key(std::string_view key);
  /// `hash`: secret_hash() of the key.
  std::optional<KeyRecord> find_hash(const std::string& hash);
  std::optional<KeyRecord> find_name(const std::string& name);
  /// Adds to the counters.
  void add_usage(const std::map<std::string, KeyUsage>& by_name);

 private:
  std::optional<KeyRecord> find(const char* column, const std::string& value);

  std::mutex mutex_;
  Database database_;
  // A connection of its own for look-ups, which also the thread of all sockets makes: they never wait for a
  // write.
  std::mutex reader_mutex_;
  std::optional<Database> reader_;  // none for a store in memory: it has one connection
};

}  // namespace r1::server
