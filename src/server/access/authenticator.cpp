#include "server/access/authenticator.h"

#include <openssl/crypto.h>

#include "server/http/random_id.h"

namespace r1::server {

Authenticator::Authenticator(std::string command_line_key, KeyStore* keys, Clock clock)
    : key_(std::move(command_line_key)),
      keys_(keys),
      clock_(std::move(clock)),
      sessions_(std::make_unique<SessionStore>(":memory:")) {}

void Authenticator::keep_sessions(const std::filesystem::path& file) {
  sessions_ = std::make_unique<SessionStore>(file);
}

int64_t Authenticator::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_().time_since_epoch()).count();
}

std::optional<std::string> Authenticator::name_of(std::string_view key) const {
  if (!key_.empty() && key.size() == key_.size() && CRYPTO_memcmp(key.data(), key_.data(), key.size()) == 0)
    return kCommandLine;
  if (keys_ == nullptr) return std::nullopt;
  const auto record = keys_->find_key(key);
  return record ? std::optional(record->name) : std::nullopt;
}

std::string Authenticator::open_session(std::string_view key) {
  std::string token = random_hexadecimal(32);
  const int64_t begins = now();
  sessions_->open(token, secret_hash(key), begins + std::chrono::seconds(kSessionTime).count(), begins);
  return token;
}

std::optional<std::string> Authenticator::session(std::string_view token) const {
  if (token.empty()) return std::nullopt;
  const auto hash = sessions_->key_hash_of(token, now());
  if (!hash) return std::nullopt;
  if (!key_.empty() && *hash == secret_hash(key_)) return kCommandLine;
  if (keys_ == nullptr) return std::nullopt;
  const auto record = keys_->find_hash(*hash);
  return record ? std::optional(record->name) : std::nullopt;
}

void Authenticator::close_session(std::string_view token) {
  if (!token.empty()) sessions_->close(token);
}

}  // namespace r1::server
