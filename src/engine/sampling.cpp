#include "engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "engine/sampling_filters.h"
#include "engine/sampling_math.h"
#include "engine/sampling_penalties.h"

namespace r1 {
namespace {

void check_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw_error(ErrorKind::invalid_argument, "{}: expected {} to {}, found {}", name, low, high, value);
  }
}

void check_token(const char* name, int32_t token, int64_t vocabulary) {
  check_range(name, token, 0, static_cast<double>(vocabulary - 1));
}

bool has_penalties(const SamplingOptions& options) {
  return (options.repetition_penalty != 1 && options.penalty_window != 0) || options.presence_penalty != 0 ||
         options.frequency_penalty != 0;
}

}  // namespace

void validate(const SamplingOptions& options, int64_t vocabulary) {
  constexpr double kMost = std::numeric_limits<int32_t>::max();
  check_range("temperature", options.temperature, 0, 100);
  check_range("top-k", options.top_k, 0, kMost);
  check_range("top-p", options.top_p, 0, 1);
  check_range("min-p", options.min_p, 0, 1);
  check_range("typical-p", options.typical_p, 0, 1);
  check_range("repetition penalty", options.repetition_penalty, 0.01, 100);
  check_range("presence penalty", options.presence_penalty, -100, 100);
  check_range("frequency penalty", options.frequency_penalty, -100, 100);
  check_range("penalty window", options.penalty_window, -1, kMost);
  check_range("DRY multiplier", options.dry_multiplier, 0, 100);
  check_range("DRY base", options.dry_base, 1, 100);
  check_range("DRY allowed length", options.dry_allowed_length, 1, kMost);
  check_range("DRY window", options.dry_window, -1, kMost);
  check_range("top log-probabilities", options.top_log_probabilities, -1, static_cast<double>(vocabulary));
  for (const auto& [token, bias] : options.logit_bias) {
    check_token("logit bias: token", token, vocabulary);
    check_range("logit bias", bias, -1e6, 1e6);
  }
  for (const std::vector<int32_t>& breaker : options.dry_breakers) {
    for (int32_t token : breaker) check_token("DRY breaker: token", token, vocabulary);
  }
}

struct Sampler::Scratch {
  std::vector<float> adjusted;  // logits after bias, constraint and penalties
  std::vector<float> weights;
  std::vector<float> maxima;
  std::vector<int32_t> counts;  // always zero between calls
  std::vector<int32_t> ids;
  std::vector<Candidate> candidates;

  int32_t draw_token(std::span<const float> logits, float largest, const SamplingOptions& options,
                     int64_t position);
};

Sampler::Sampler() : scratch_(std::make_unique<Scratch>()) {}
Sampler::~Sampler() = default;
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;

int32_t Sampler::Scratch::draw_token(std::span<const float> logits, float largest,
                                     const SamplingOptions& options, int64_t position) {
  const auto size = static_cast<int64_t>(logits.size());
  weights.resize(size);
  const float inverse_temperature = 1 / std::max(options.temperature, 1e-30F);
  double total = softmax_weights(logits, largest, inverse_temperature, weights.data());
  const bool typical = options.typical_p < 1;

  candidates.clear();
  const auto add = [&](int32_t token) { candidates.push_back({token, logits[token], weights[token], 0}); };
  if (options.top_k > 0 && options.top_k < size) {
    select_largest(logits, options.top_k, ids, maxima);
    for (int32_t token : ids) {
      if (weights[token] > 0) add(token);
    }
    total = sum_weights(candidates);
  } else {
    // Tokens that no later filter can keep need not become candidates: all that are rarer than an equal share
    // of what top-p leaves out hold, together, no more than that; and all that min-p drops anyway.
    float floor = std::numeric_limits<float>::denorm_min();
    if (!typical) {
      const double left_out = (1 - static_cast<double>(options.top_p)) * total / static_cast<double>(size);
      floor = std::max({floor, static_cast<float>(left_out * 0.999), options.min_p * 0.999F});
    }
    for (int32_t token = 0; token < size; ++token) {
      if (weights[token] >= floor) add(token);
    }
  }
  if (typical) {
    keep_typical(candidates, options.typical_p);
    total = sum_weights(candidates);
  }
  if (options.top_p < 1) keep_top_p(candidates, options.top_p * total);
  if (options.min_p > 0) keep_min_p(candidates, options.min_p);
  return draw(candidates, random_uniform(options.seed, static_cast<uint64_t>(position)));
}

SampledToken Sampler::sample(std::span<const float> logits, const SamplingOptions& options,
                             std::span<const int32_t> context, int64_t prompt_tokens, int64_t position,
                             std::span<const uint64_t> allowed) {
  Scratch& scratch = *scratch_;
  float largest = largest_logit(logits, position);
  std::span<const float> adjusted = logits;
  const bool penalties = has_penalties(options);
  const bool dry = options.dry_multiplier > 0 && options.dry_window != 0;
  if (penalties || dry || !allowed.empty() || !options.logit_bias.empty()) {
    if (!allowed.empty() && allowed.size() * 64 < logits.size()) {
      throw_error(ErrorKind::invalid_argument, "constraint at position {}: expected {} words, found {}",
                  position, (logits.size() + 63) / 64, allowed.size());
    }
    scratch.adjusted.assign(logits.begin(), logits.end());
    apply_logit_bias(scratch.adjusted, options);
    if (!allowed.empty()) apply_constraint(scratch.adjusted, allowed);
    if (penalties) apply_penalties(scratch.adjusted, options, context, prompt_tokens, scratch.counts);
    if (dry) apply_dry(scratch.adjusted, options, context, scratch.counts);
    adjusted = scratch.adjusted;
    largest = largest_logit(adjusted, position);
  }
  if (largest == -std::numeric_limits<float>::infinity()) {
    throw_error(ErrorKind::invalid_argument, "position {}: no token is allowed (of {})", position,
                logits.size());
  }
  const int32_t token =
      options.temperature == 0
          ? static_cast<int32_t>(std::find(adjusted.begin(), adjusted.end(), largest) - adjusted.begin())
          : scratch.draw_token(adjusted, largest, options, position);
  return describe(logits, options, token, position);
}

SampledToken Sampler::describe(std::span<const float> logits, const SamplingOptions& options, int32_t token,
                               int64_t position) {
  SampledToken result;
  result.token = token;
  if (options.top_log_probabilities < 0) return result;
  Scratch& scratch = *scratch_;
  const float largest = largest_logit(logits, position);
  scratch.weights.resize(logits.size());
  const double total = softmax_weights(logits, largest, 1, scratch.weights.data());
  const auto log_probability = [&](int32_t id) {
    return TokenProbability{id,
                            static_cast<float>(static_cast<double>(logits[id]) - largest - std::log(total))};
  };
  result.chosen = log_probability(token);
  select_largest(logits, options.top_log_probabilities, scratch.ids, scratch.maxima);
  std::ranges::stable_sort(scratch.ids, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  for (int32_t id : scratch.ids) result.top.push_back(log_probability(id));
  return result;
}

}  // namespace r1
