#include "server/access/session_store.h"

#include <openssl/evp.h>

#include <array>

#include "base/error.h"

namespace r1::server {
namespace {

// A released migration never changes: add another.
constexpr std::array<Migration, 1> kMigrations{{{
    "sessions",
    R"sql(
CREATE TABLE sessions (
  session INTEGER PRIMARY KEY,  -- in the order of opening
  token TEXT NOT NULL UNIQUE, key TEXT NOT NULL,  -- SHA-256 in hexadecimal digits
  ends INTEGER NOT NULL);  -- seconds since 1970
)sql",
}}};

}  // namespace

std::string secret_hash(std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw_error(ErrorKind::io, "OpenSSL: no SHA-256");
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

SessionStore::SessionStore(const std::filesystem::path& file) : database_(file) {
  database_.migrate("sessions", kMigrations);
}

void SessionStore::open(std::string_view token, const std::string& key_hash, int64_t ends, int64_t now) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  database_.prepare("INSERT INTO sessions (token, key, ends) VALUES (?1, ?2, ?3)")
      .bind(secret_hash(token), key_hash, ends)
      .run();
  database_.prepare("DELETE FROM sessions WHERE ends <= ?1 OR session <= ?2")
      .bind(now, database_.last_row() - kMaxSessions)
      .run();
  transaction.commit();
}

std::optional<std::string> SessionStore::key_hash_of(std::string_view token, int64_t now) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.prepare("SELECT key FROM sessions WHERE token = ?1 AND ends > ?2");
  if (!row.bind(secret_hash(token), now).step()) return std::nullopt;
  return row.text(0);
}

void SessionStore::close(std::string_view token) {
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM sessions WHERE token = ?1").bind(secret_hash(token)).run();
}

}  // namespace r1::server
