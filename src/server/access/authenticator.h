// Who may ask: the key of the command line, those of `r1 keys`, and the sessions of browsers that presented
// one.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/access/key_store.h"
#include "server/access/session_store.h"

namespace r1::server {

/// Safe to use from several threads.
class Authenticator {
 public:
  static constexpr const char* kCommandLine = "command-line";
  static constexpr std::chrono::hours kSessionTime{30 * 24};
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  /// `command_line_key` empty: there is none; `keys` null: none of `r1 keys` either. Without both, requests
  /// need no key. Sessions are kept in memory.
  Authenticator(std::string command_line_key, KeyStore* keys, Clock clock = std::chrono::system_clock::now);

  /// From now on sessions are kept in this file, where those of earlier servers are. Before the first
  /// request.
  void keep_sessions(const std::filesystem::path& file);

  bool key_needed() const { return !key_.empty() || keys_ != nullptr; }
  /// The name of the key; nothing: it is not valid, or revoked. Takes the same time however much of it is
  /// right.
  std::optional<std::string> name_of(std::string_view key) const;

  /// A new session's token, 256 random bits in hexadecimal digits, for who presented this valid key.
  std::string open_session(std::string_view key);
  /// The name of the key that opened it; nothing: there is no such session, it is over, or the key is not
  /// valid any more.
  std::optional<std::string> session(std::string_view token) const;
  void close_session(std::string_view token);

 private:
  int64_t now() const;

  const std::string key_;
  KeyStore* const keys_;
  const Clock clock_;
  std::unique_ptr<SessionStore> sessions_;
};

}  // namespace r1::server
