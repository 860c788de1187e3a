// Who may ask: the key of the command line, those of `r1 keys`, and the sessions of browsers that presented
// one.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/key_store.h"

namespace r1::server {

/// Safe to use from several threads.
class Authenticator {
 public:
  static constexpr const char* kCommandLine = "command-line";
  static constexpr std::chrono::hours kSessionTime{30 * 24};

  /// `command_line_key` empty: there is none; `keys` null: none of `r1 keys` either. Without both, requests
  /// need no key.
  Authenticator(std::string command_line_key, KeyStore* keys)
      : key_(std::move(command_line_key)), keys_(keys) {}

  bool key_needed() const { return !key_.empty() || keys_ != nullptr; }
  /// The name of the key; nothing: it is not valid, or revoked. Takes the same time however much of it is
  /// right.
  std::optional<std::string> name_of(std::string_view key) const;

  /// A new session's token, 256 random bits in hexadecimal digits.
  std::string open_session(const std::string& key_name);
  /// The key that opened it; nothing: there is no such session, it is over, or the key was revoked.
  std::optional<std::string> session(std::string_view token) const;
  void close_session(std::string_view token);

 private:
  struct Session {
    std::string key_name;
    std::chrono::steady_clock::time_point end;
  };
  const std::string key_;
  KeyStore* const keys_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Session> sessions_;
  std::deque<std::string> order_;  // oldest first; the table has a limit
};

}  // namespace r1::server
