#include "engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "engine/sampling_filters.h"
#include "engine/sampling_math.h"
#include "engine/sampling_penalties.h"
#include "nn/log_probability.h"

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

// A smaller temperature makes logits that a float cannot hold.
constexpr double kMinReportedTemperature = 1e-3;

/// Whether some tokens may be left out that have a probability.
bool has_filters(const SamplingOptions& options) {
  return options.top_k > 0 || options.top_p < 1 || options.min_p > 0 || options.typical_p < 1;
}

bool has_penalties(const SamplingOptions& options) {
  return (options.repetition_penalty != 1 && options.penalty_window != 0) || options.presence_penalty != 0 ||
         options.frequency_penalty != 0;
}

}  // namespace

void validate(const SamplingOptions& options, int64_t vocabulary) {
  constexpr double kMax = std::numeric_limits<int32_t>::max();
  check_range("temperature", options.temperature, 0, 100);
  check_range("top-k", options.top_k, 0, kMax);
  check_range("top-p", options.top_p, 0, 1);
  check_range("min-p", options.min_p, 0, 1);
  check_range("typical-p", options.typical_p, 0, 1);
  check_range("repetition penalty", options.repetition_penalty, 0.01, 100);
  check_range("presence penalty", options.presence_penalty, -100, 100);
  check_range("frequency penalty", options.frequency_penalty, -100, 100);
  check_range("penalty window", options.penalty_window, -1, kMax);
  check_range("DRY multiplier", options.dry_multiplier, 0, 100);
  check_range("DRY base", options.dry_base, 1, 100);
  check_range("DRY allowed length", options.dry_allowed_length, 1, kMax);
  check_range("DRY window", options.dry_window, -1, kMax);
  check_range("top log-probabilities", options.top_log_probabilities, -1, static_cast<double>(vocabulary));
  if (options.sampled_log_probability && options.temperature != 0) {
    check_range("temperature with sampled log-probability", options.temperature, kMinReportedTemperature,
                100);
  }
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
  std::vector<float> gathered;
  std::vector<int32_t> counts;  // always zero between calls
  std::vector<int32_t> ids;
  std::vector<Candidate> candidates;

  int32_t draw_token(std::span<const float> logits, float largest, const SamplingOptions& options,
                     int64_t position);
};

Sampler::Sampler(const kernels::KernelTable& kernels, KnownTokens known)
    : kernels_(&kernels), known_(std::move(known)), scratch_(std::make_unique<Scratch>()) {}
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
  const int64_t limit = drawable_rows(logits);
  std::span<const float> adjusted = logits.first(limit);
  float largest = largest_logit(adjusted, position);
  const bool penalties = has_penalties(options);
  const bool dry = options.dry_multiplier > 0 && options.dry_window != 0;
  if (penalties || dry || !allowed.empty() || !options.logit_bias.empty() || !known_.holes.empty()) {
    if (!allowed.empty() && allowed.size() * 64 < logits.size()) {
      throw_error(ErrorKind::invalid_argument, "constraint at position {}: expected {} words, found {}",
                  position, (logits.size() + 63) / 64, allowed.size());
    }
    scratch.adjusted.assign(logits.begin(), logits.end());
    apply_logit_bias(scratch.adjusted, options);
    if (!allowed.empty()) apply_constraint(scratch.adjusted, allowed);
    if (penalties) apply_penalties(scratch.adjusted, options, context, prompt_tokens, scratch.counts);
    if (dry) apply_dry(scratch.adjusted, options, context, scratch.counts);
    for (const int32_t token : known_.holes) scratch.adjusted[token] = kForbidden;
    adjusted = std::span<const float>(scratch.adjusted).first(limit);
    largest = largest_logit(adjusted, position);
  }
  if (largest == kForbidden) {
    throw_error(ErrorKind::invalid_argument, "position {}: no token is allowed (of {})", position, limit);
  }
  SampledToken result;
  if (options.temperature == 0) {
    const auto found = std::find(adjusted.begin(), adjusted.end(), largest);
    result.token = static_cast<int32_t>(found - adjusted.begin());
    if (options.sampled_log_probability) result.sampled_log_probability = 0;
  } else {
    result.token = scratch.draw_token(adjusted, largest, options, position);
    if (options.sampled_log_probability) {
      if (has_filters(options)) {
        for (const Candidate& candidate : scratch.candidates) result.kept.push_back(candidate.token);
      }
      const LogSoftmax distribution =
          result.kept.empty()
              ? log_softmax(*kernels_, adjusted, options.temperature)
              : log_softmax(*kernels_, adjusted, result.kept, options.temperature, scratch.gathered);
      result.sampled_log_probability = distribution(adjusted[result.token]);
    }
  }
  describe(logits, options, position, result);
  return result;
}

SampledToken Sampler::describe_forced(std::span<const float> logits, const SamplingOptions& options,
                                      int32_t token, int64_t position) {
  SampledToken result;
  result.token = token;
  result.forced = true;
  if (options.sampled_log_probability) result.sampled_log_probability = 0;
  describe(logits, options, position, result);
  return result;
}

/// Fills in the log-probabilities of the model's own distribution.
void Sampler::describe(std::span<const float> logits, const SamplingOptions& options, int64_t position,
                       SampledToken& result) {
  if (options.top_log_probabilities < 0) return;
  Scratch& scratch = *scratch_;
  const LogSoftmax distribution = log_softmax(*kernels_, logits);
  if (!std::isfinite(distribution.log_sum)) {
    largest_logit(logits, position);  // names the logit that is not a number
    throw_error(ErrorKind::invalid_argument, "logits at position {}: expected numbers, found none", position);
  }
  const auto describe_token = [&](int32_t id) { return TokenProbability{id, distribution(logits[id])}; };
  result.chosen = describe_token(result.token);
  if (options.top_log_probabilities == 0) return;
  // As many more as there are holes: so many are left over without them.
  const std::span<const float> listed = logits.first(drawable_rows(logits));
  select_largest(listed, options.top_log_probabilities + std::ssize(known_.holes), scratch.ids,
                 scratch.maxima);
  std::erase_if(scratch.ids, [&](int32_t id) { return !known_.contains(id); });
  std::ranges::stable_sort(scratch.ids, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (std::ssize(scratch.ids) > options.top_log_probabilities)
    scratch.ids.resize(options.top_log_probabilities);
  for (const int32_t id : scratch.ids) result.top.push_back(describe_token(id));
}

/// Rows behind these are never drawn.
int64_t Sampler::drawable_rows(std::span<const float> logits) const {
  return known_.limit < 0 ? std::ssize(logits) : std::min(known_.limit, std::ssize(logits));
}

}  // namespace r1
