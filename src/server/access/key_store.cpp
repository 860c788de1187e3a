#include "server/access/key_store.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/error.h"
#include "server/access/session_store.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

// A released migration never changes: add another.
constexpr std::array<Migration, 2> kMigrations{{{"keys",
                                                 R"sql(
CREATE TABLE api_keys (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL UNIQUE,  -- SHA-256 in hexadecimal digits
  hint TEXT NOT NULL,
  created INTEGER NOT NULL, revoked INTEGER, last_used INTEGER,  -- seconds since 1970
  concurrency INTEGER NOT NULL, tokens_a_minute INTEGER NOT NULL,
  requests INTEGER NOT NULL DEFAULT 0,
  prompt_tokens INTEGER NOT NULL DEFAULT 0, generated_tokens INTEGER NOT NULL DEFAULT 0);
)sql"},
                                                {"the highest priority that a key may ask for", R"sql(
ALTER TABLE api_keys ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
)sql"}}};

const std::string kColumns =
    "SELECT name, hint, created, revoked, last_used, concurrency, tokens_a_minute, requests, prompt_tokens, "
    "generated_tokens, priority FROM api_keys ";

bool is_name(const std::string& name) {
  return name != "command-line" && !name.empty() && name.size() <= 64 &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
         });
}

KeyRecord record_of(const Statement& row) {
  return {row.text(0),
          row.text(1),
          row.integer(2),
          row.optional_integer(3),
          row.optional_integer(4),
          {row.integer(5), row.integer(6), static_cast<int32_t>(row.integer(10))},
          {row.integer(7), row.integer(8), row.integer(9)}};
}

}  // namespace

KeyStore::KeyStore(const std::filesystem::path& file) : database_(file) {
  database_.migrate("api_keys", kMigrations);
  if (file != ":memory:") reader_.emplace(file);
}

std::string KeyStore::create(const std::string& name, const KeyLimits& limits) {
  if (!is_name(name))
    throw_error(ErrorKind::invalid_argument, "name: expected 1 to 64 of [A-Za-z0-9._-], found '{}'",
                name.substr(0, 100));
  std::string key = "sk-r1-" + random_hexadecimal(24);
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  Statement taken = database_.prepare("SELECT 1 FROM api_keys WHERE name = ?1");
  if (taken.bind(name).step()) throw_error(ErrorKind::invalid_argument, "there is a key '{}' already", name);
  taken.reset();
  database_
      .prepare(
          "INSERT INTO api_keys (name, hash, hint, created, concurrency, tokens_a_minute, priority) VALUES "
          "(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
      .bind(name, secret_hash(key), key.substr(key.size() - 4), static_cast<int64_t>(std::time(nullptr)),
            limits.concurrency, limits.tokens_a_minute, limits.priority)
      .run();
  transaction.commit();
  return key;
}

void KeyStore::revoke(const std::string& name) {
  const std::lock_guard lock(mutex_);
  database_.prepare("UPDATE api_keys SET revoked = ?2 WHERE name = ?1 AND revoked IS NULL")
      .bind(name, static_cast<int64_t>(std::time(nullptr)))
      .run();
  if (database_.changed_rows() == 0)
    throw_error(ErrorKind::invalid_argument, "there is no key '{}' that is in use", name);
}

std::vector<KeyRecord> KeyStore::list() {
  const std::lock_guard lock(mutex_);
  std::vector<KeyRecord> records;
  Statement rows = database_.prepare(kColumns + "ORDER BY key");
  while (rows.step()) records.push_back(record_of(rows));
  return records;
}

std::optional<KeyRecord> KeyStore::find(const char* column, const std::string& value) {
  const std::lock_guard lock(reader_ ? reader_mutex_ : mutex_);
  Statement row = (reader_ ? *reader_ : database_)
                      .prepare(kColumns + fmt::format("WHERE {} = ?1 AND revoked IS NULL", column));
  if (!row.bind(value).step()) return std::nullopt;
  return record_of(row);
}

std::optional<KeyRecord> KeyStore::find_key(std::string_view key) {
  return find_hash(secret_hash(key));
}

std::optional<KeyRecord> KeyStore::find_hash(const std::string& hash) {
  return find("hash", hash);
}

std::optional<KeyRecord> KeyStore::find_name(const std::string& name) {
  return find("name", name);
}

void KeyStore::add_usage(const std::map<std::string, KeyUsage>& by_name) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  Statement update = database_.prepare(
      "UPDATE api_keys SET requests = requests + ?2, prompt_tokens = prompt_tokens + ?3, generated_tokens = "
      "generated_tokens + ?4, last_used = ?5 WHERE name = ?1");
  for (const auto& [name, usage] : by_name) {
    update
        .bind(name, usage.requests, usage.prompt_tokens, usage.generated_tokens,
              static_cast<int64_t>(std::time(nullptr)))
        .run();
  }
  transaction.commit();
}

}  // namespace r1::server
