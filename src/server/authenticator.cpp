#include "server/authenticator.h"

#include <openssl/crypto.h>

#include "server/completion.h"

namespace r1::server {
namespace {

constexpr size_t kMostSessions = 10'000;

}  // namespace

std::optional<std::string> Authenticator::name_of(std::string_view key) const {
  if (!key_.empty() && key.size() == key_.size() && CRYPTO_memcmp(key.data(), key_.data(), key.size()) == 0)
    return kCommandLine;
  if (keys_ == nullptr) return std::nullopt;
  const auto record = keys_->find_key(key);
  return record ? std::optional(record->name) : std::nullopt;
}

std::string Authenticator::open_session(const std::string& key_name) {
  std::string token;
  for (int word = 0; word < 4; ++word) token += fmt::format("{:016x}", random_seed());
  const std::lock_guard lock(mutex_);
  sessions_[token] = {key_name, std::chrono::steady_clock::now() + kSessionTime};
  order_.push_back(token);
  while (order_.size() > kMostSessions) {
    sessions_.erase(order_.front());
    order_.pop_front();
  }
  return token;
}

std::optional<std::string> Authenticator::session(std::string_view token) const {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(std::string(token));
    if (found == sessions_.end() || std::chrono::steady_clock::now() > found->second.end) return std::nullopt;
    name = found->second.key_name;
  }
  if (name != kCommandLine && (keys_ == nullptr || !keys_->find_name(name))) return std::nullopt;
  return name;
}

void Authenticator::close_session(std::string_view token) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(std::string(token));
}

}  // namespace r1::server
