#include "engine/sampling_penalties.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace r1 {
namespace {

std::span<const int32_t> last_tokens(std::span<const int32_t> context, int32_t window) {
  if (window < 0) return context;
  return context.last(std::min(context.size(), static_cast<size_t>(window)));
}

/// Tokens behind the last breaker in `tokens`, or all of them.
int64_t tokens_behind_breaker(std::span<const int32_t> tokens,
                              const std::vector<std::vector<int32_t>>& breakers) {
  const int64_t size = std::ssize(tokens);
  for (int64_t start = size - 1; start >= 0; --start) {
    int64_t longest = 0;
    for (const std::vector<int32_t>& breaker : breakers) {
      const int64_t length = std::ssize(breaker);
      if (length > longest && start + length <= size &&
          std::equal(breaker.begin(), breaker.end(), tokens.begin() + start)) {
        longest = length;
      }
    }
    if (longest > 0) return size - start - longest;
  }
  return size;
}

}  // namespace

void apply_logit_bias(std::span<float> logits, const SamplingOptions& options) {
  for (const auto& [token, bias] : options.logit_bias) {
    if (bias <= -100) {
      logits[token] = kForbidden;
    } else {
      logits[token] += bias;
    }
  }
}

void apply_constraint(std::span<float> logits, std::span<const uint64_t> allowed) {
  for (size_t token = 0; token < logits.size();) {
    const uint64_t word = allowed[token / 64];
    const size_t end = std::min(logits.size(), token + 64);
    if (word == 0) {
      std::fill(logits.begin() + token, logits.begin() + end, kForbidden);
    } else if (word != ~uint64_t{0}) {
      for (size_t index = token; index < end; ++index) {
        if (((word >> (index - token)) & 1) == 0) logits[index] = kForbidden;
      }
    }
    token = end;
  }
}

void apply_penalties(std::span<float> logits, const SamplingOptions& options,
                     std::span<const int32_t> context, int64_t prompt_tokens, std::vector<int32_t>& counts) {
  counts.resize(logits.size(), 0);
  if (options.repetition_penalty != 1) {
    const std::span<const int32_t> window = last_tokens(context, options.penalty_window);
    for (int32_t token : window) {
      if (counts[token]++ > 0) continue;
      logits[token] = logits[token] > 0 ? logits[token] / options.repetition_penalty
                                        : logits[token] * options.repetition_penalty;
    }
    for (int32_t token : window) counts[token] = 0;
  }
  if (options.frequency_penalty == 0 && options.presence_penalty == 0) return;
  const std::span<const int32_t> generated = context.subspan(prompt_tokens);
  for (int32_t token : generated) ++counts[token];
  for (int32_t token : generated) {
    if (counts[token] == 0) continue;
    logits[token] -= static_cast<float>(counts[token]) * options.frequency_penalty + options.presence_penalty;
    counts[token] = 0;
  }
}

void apply_dry(std::span<float> logits, const SamplingOptions& options, std::span<const int32_t> context,
               std::vector<int32_t>& scratch) {
  const std::span<const int32_t> window = last_tokens(context, options.dry_window);
  const int64_t size = std::ssize(window);
  const int64_t allowed = options.dry_allowed_length;
  if (options.dry_multiplier == 0 || size <= allowed) return;
  const int64_t limit = tokens_behind_breaker(window, options.dry_breakers);
  if (limit < allowed) return;

  // lengths[k]: how far the sequence, read backwards, agrees with itself k tokens earlier (the Z algorithm).
  const auto back = [&](int64_t index) { return window[size - 1 - index]; };
  std::vector<int32_t> lengths(size, 0);
  int64_t left = 0;
  int64_t right = 0;  // the agreement reaching furthest: [left, right)
  scratch.resize(logits.size(), 0);
  std::vector<int32_t> penalised;
  for (int64_t k = 1; k < size; ++k) {
    int64_t length = k < right ? std::min<int64_t>(right - k, lengths[k - left]) : 0;
    while (k + length < size && back(length) == back(k + length)) ++length;
    lengths[k] = static_cast<int32_t>(length);
    if (k + length > right) {
      left = k;
      right = k + length;
    }
    const int64_t counted = std::min(length, limit);
    if (counted < allowed) continue;
    const int32_t token = back(k - 1);
    if (scratch[token] == 0) penalised.push_back(token);
    scratch[token] = std::max(scratch[token], static_cast<int32_t>(counted) + 1);  // + 1: 0 means none
  }

  // So that base^exponent stays a float.
  constexpr float kLargestLogarithm = 88.7228391F;
  const int64_t max_exponent = options.dry_base > 1.000001F
                                   ? static_cast<int64_t>(kLargestLogarithm / std::log(options.dry_base))
                                   : std::numeric_limits<int32_t>::max();
  for (int32_t token : penalised) {
    const int64_t exponent = std::min(max_exponent, static_cast<int64_t>(scratch[token]) - 1 - allowed);
    scratch[token] = 0;
    const auto is_it = [&](const std::vector<int32_t>& breaker) {
      return breaker.size() == 1 && breaker[0] == token;
    };
    if (std::ranges::any_of(options.dry_breakers, is_it)) continue;
    logits[token] -= options.dry_multiplier * std::pow(options.dry_base, static_cast<float>(exponent));
  }
}

}  // namespace r1
