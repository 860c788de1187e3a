#include "server/access/rate_limiter.h"

#include <cmath>
#include <limits>

#include "server/http/api_error.h"

namespace r1::server {
namespace {

constexpr std::chrono::seconds kMinute{60}, kSecond{1};

void add(KeyUsage& sum, const KeyUsage& more) {
  sum.requests += more.requests;
  sum.prompt_tokens += more.prompt_tokens;
  sum.generated_tokens += more.generated_tokens;
}

[[noreturn]] void refuse_for_now(double seconds, const std::string& message) {
  ApiError error(429, "", "rate_limit_exceeded", message);
  error.headers.push_back(
      {"Retry-After", std::to_string(static_cast<int64_t>(std::ceil(std::max(1.0, seconds))))});
  throw error;
}

}  // namespace

RateTicket::~RateTicket() {
  limiter_.release(key_name_, sequences_);
}

void RateTicket::count_prompt(int64_t tokens) {
  limiter_.count(key_name_, tokens, 0);
}

void RateTicket::count_generated(int64_t tokens) {
  limiter_.count(key_name_, 0, tokens);
}

void RateTicket::add_sequences(int64_t count) {
  limiter_.add_sequences(key_name_, count);
  sequences_ += count;
}

void RateLimiter::forget_old(State& state) const {
  const auto now = clock_();
  while (!state.seconds.empty() && now - state.seconds.front().begin >= kMinute) {
    state.tokens -= state.seconds.front().tokens;
    state.seconds.pop_front();
  }
}

KeyLimits RateLimiter::limits_of(const std::string& key_name) const {
  const auto record = keys_ == nullptr ? std::nullopt : keys_->find_name(key_name);
  if (record) return record->limits;
  KeyLimits operators;  // the command line's key
  operators.priority = std::numeric_limits<int32_t>::max();
  return operators;
}

/// Under mutex_.
void RateLimiter::check(const std::string& key_name, const KeyLimits& limits, State& state) {
  forget_old(state);
  if (limits.concurrency > 0 && state.running >= limits.concurrency) {
    ++state.refused;
    refuse_for_now(1,
                   fmt::format("the key '{}' may have {} requests at a time", key_name, limits.concurrency));
  }
  if (limits.tokens_a_minute > 0 && state.tokens >= limits.tokens_a_minute) {
    ++state.refused;
    // Until so many of the oldest are forgotten that there is room again.
    int64_t left = state.tokens;
    auto free_at = clock_();
    for (const Second& second : state.seconds) {
      left -= second.tokens;
      free_at = second.begin + kMinute;
      if (left < limits.tokens_a_minute) break;
    }
    refuse_for_now(std::chrono::duration<double>(free_at - clock_()).count(),
                   fmt::format("the key '{}' may use {} tokens a minute and has used {}", key_name,
                               limits.tokens_a_minute, state.tokens));
  }
}

void RateLimiter::check(const std::string& key_name) {
  if (key_name.empty()) return;
  const KeyLimits limits = limits_of(key_name);
  const std::lock_guard lock(mutex_);
  check(key_name, limits, states_[key_name]);
}

std::shared_ptr<RateTicket> RateLimiter::admit(const std::string& key_name) {
  if (key_name.empty()) return nullptr;
  const KeyLimits limits = limits_of(key_name);
  const std::lock_guard lock(mutex_);
  State& state = states_[key_name];
  check(key_name, limits, state);
  auto ticket = std::make_shared<RateTicket>(*this, key_name, limits.priority);
  ++state.running;
  ++state.usage.requests;
  return ticket;
}

void RateLimiter::add_sequences(const std::string& key_name, int64_t count) {
  const std::lock_guard lock(mutex_);
  State& state = states_[key_name];
  if (state.sequences + count > kMaxSequences) {
    ++state.refused;
    refuse_for_now(1, fmt::format("the key '{}' may have {} answers at a time, running and waiting", key_name,
                                  kMaxSequences));
  }
  state.sequences += count;
}

void RateLimiter::count(const std::string& key_name, int64_t prompt, int64_t generated) {
  const std::lock_guard lock(mutex_);
  State& state = states_[key_name];
  state.usage.prompt_tokens += prompt;
  state.usage.generated_tokens += generated;
  const auto now = clock_();
  if (state.seconds.empty() || now - state.seconds.back().begin >= kSecond) state.seconds.push_back({now, 0});
  state.seconds.back().tokens += prompt + generated;
  state.tokens += prompt + generated;
}

void RateLimiter::release(const std::string& key_name, int64_t sequences) {
  const std::lock_guard lock(mutex_);
  State& state = states_[key_name];
  --state.running;
  state.sequences -= sequences;
}

std::map<std::string, KeyUsage> RateLimiter::take_usage() {
  std::map<std::string, KeyUsage> result;
  const std::lock_guard lock(mutex_);
  for (auto& [name, state] : states_) {
    const KeyUsage usage = std::exchange(state.usage, {});
    add(state.taken, usage);
    if (usage.requests + usage.prompt_tokens + usage.generated_tokens > 0) result[name] = usage;
  }
  return result;
}

std::map<std::string, RateLimiter::Figures> RateLimiter::figures() const {
  std::map<std::string, Figures> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, state] : states_) {
    Figures& figures = result[name] = {state.running, state.refused, state.taken};
    add(figures.total, state.usage);
  }
  return result;
}

}  // namespace r1::server
