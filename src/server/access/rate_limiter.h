// Limits of API keys: requests at a time and tokens a minute, and what each key uses. In memory; usage goes
// to the KeyStore now and then.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/access/key_store.h"

namespace r1::server {

class RateLimiter;

/// A request that was let in. It counts as running until the last owner lets go.
class RateTicket {
 public:
  RateTicket(RateLimiter& limiter, std::string key_name, int32_t priority)
      : limiter_(limiter), key_name_(std::move(key_name)), priority_(priority) {}
  RateTicket(const RateTicket&) = delete;
  ~RateTicket();

  void count_prompt(int64_t tokens);
  void count_generated(int64_t tokens);
  /// Answers that this request generates from now on, until the ticket goes. Throws ApiError 429 when that is
  /// more than kMaxSequences of the key's at a time, running and waiting.
  void add_sequences(int64_t count);
  /// A number of the key, the same for all its requests; never 0.
  uint64_t owner() const { return std::hash<std::string>()(key_name_) | 1; }
  /// The highest priority that the request may ask for.
  int32_t priority() const { return priority_; }

 private:
  RateLimiter& limiter_;
  const std::string key_name_;
  const int32_t priority_;
  int64_t sequences_ = 0;
};

/// Safe to use from several threads. Must outlive its tickets.
class RateLimiter {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  /// `keys`: null: there are no limits.
  explicit RateLimiter(KeyStore* keys, Clock clock = std::chrono::steady_clock::now)
      : keys_(keys), clock_(std::move(clock)) {}

  static constexpr int64_t kMaxSequences = 1024;  // answers of a key at a time

  /// Throws as admit() would now, without letting a request in: before its body is read.
  void check(const std::string& key_name);
  /// Lets a request of this key in; null where no key was needed. Keys without a record (the command line's)
  /// have no limits. Throws ApiError 429 with Retry-After when the key has used up what it may.
  std::shared_ptr<RateTicket> admit(const std::string& key_name);
  /// What was used since the last call.
  std::map<std::string, KeyUsage> take_usage();
  /// Of each key that has asked since the start, by name.
  struct Figures {
    int64_t running = 0, refused = 0;  // refused: 429
    KeyUsage total{};
  };
  std::map<std::string, Figures> figures() const;

 private:
  friend class RateTicket;
  struct Second {
    std::chrono::steady_clock::time_point begin;
    int64_t tokens;
  };
  struct State {
    int64_t running = 0;
    int64_t sequences = 0;
    int64_t tokens = 0;            // of the last minute
    std::deque<Second> seconds{};  // of it, oldest first
    KeyUsage usage{};              // not yet taken
    KeyUsage taken{};
    int64_t refused = 0;
  };
  void forget_old(State& state) const;
  void count(const std::string& key_name, int64_t prompt, int64_t generated);
  void check(const std::string& key_name, const KeyLimits& limits, State& state);
  KeyLimits limits_of(const std::string& key_name) const;
  void add_sequences(const std::string& key_name, int64_t count);
  void release(const std::string& key_name, int64_t sequences);

  KeyStore* keys_;
  Clock clock_;
  mutable std::mutex mutex_;
  std::map<std::string, State> states_;
};

}  // namespace r1::server
