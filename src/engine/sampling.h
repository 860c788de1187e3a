// How the next token is chosen: the options, and the sampler.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/known_tokens.h"
#include "kernels/kernels.h"

namespace r1 {

/// Defaults are the ones published for R1: temperature 0.6, top-p 0.95, everything else off.
struct SamplingOptions {
  float temperature = 0.6F;      // 0: always the most likely token (of equals, the lowest id)
  int32_t top_k = 0;             // 0: off
  float top_p = 0.95F;           // 1: off
  float min_p = 0;               // 0: off; relative to the most likely token's probability
  float typical_p = 1;           // 1: off; locally typical sampling (Meister et al., 2022)
  float repetition_penalty = 1;  // 1: off; over the last penalty_window tokens (Keskar et al., 2019)
  float presence_penalty = 0;    // OpenAI's: over generated tokens
  float frequency_penalty = 0;
  int32_t penalty_window = 64;  // tokens looked back for repetition_penalty; -1: all
  float dry_multiplier = 0;     // 0: off; DRY: exponential penalty on continuing a repeated sequence
  float dry_base = 1.75F;
  int32_t dry_allowed_length = 2;
  int32_t dry_window = -1;                         // -1: the whole context
  std::vector<std::vector<int32_t>> dry_breakers;  // token sequences that end a match
  std::unordered_map<int32_t, float> logit_bias;   // added to logits; -100 or less forbids
  uint64_t seed = 0;                               // same seed, same text, whatever else runs
  int32_t top_log_probabilities = -1;    // -1: none; n: of the sampled token and of the n most likely
  bool sampled_log_probability = false;  // SampledToken::sampled_log_probability and kept are filled in
};

/// Throws Error(invalid_argument) that names the field, the range and the value.
void validate(const SamplingOptions& options, int64_t vocabulary);

struct TokenProbability {
  int32_t token = 0;
  /// Of the model's own distribution: temperature 1, all rows, before filters and penalties. The bits of
  /// log_softmax (nn/log_probability.h), which are those of a trainer's token_log_probs.
  float log_probability = 0;
};

struct SampledToken {
  int32_t token = 0;
  bool forced = false;                     // emitted by rule (the end of thinking), not drawn
  std::optional<TokenProbability> chosen;  // when log-probabilities were asked for
  std::vector<TokenProbability> top;       // most likely first; of equals, the lowest id first

  /// When asked for: of the distribution that the token was drawn from, after bias, constraint, penalties,
  /// temperature and filters (log_softmax of the changed logits over `kept`). 0 at temperature 0 and where
  /// forced: there was no choice.
  std::optional<float> sampled_log_probability;
  /// The tokens that could have been drawn, ascending; empty: all known ones, or no choice.
  std::vector<int32_t> kept;
};

/// Chooses tokens. Holds scratch memory only (16 bytes an entry of the vocabulary): which Sampler is asked
/// makes no difference. One thread at a time.
class Sampler {
 public:
  /// `kernels` must outlive the sampler. `known`: what may be drawn.
  explicit Sampler(const kernels::KernelTable& kernels, KnownTokens known = {});
  ~Sampler();
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;

  /// Chooses the token at position `position` (index in the sequence, prompt included) from its logits; the
  /// random draw depends on options.seed and position alone. `context`: all tokens before it, of which the
  /// first `prompt_tokens` are the prompt. `allowed`: empty, or one bit a token (bit t % 64 of word t / 64;
  /// constrained decoding). Never a token that is not known. Order: logit bias, constraint, penalties
  /// (repetition, then frequency and presence), DRY, temperature; then top-k, typical, top-p, min-p. Throws
  /// Error(invalid_argument) that names the position when a logit is not a number or nothing is allowed.
  SampledToken sample(std::span<const float> logits, const SamplingOptions& options,
                      std::span<const int32_t> context, int64_t prompt_tokens, int64_t position,
                      std::span<const uint64_t> allowed = {});

  /// A token that was decided elsewhere (forced): with its log-probabilities when they were asked for.
  SampledToken describe_forced(std::span<const float> logits, const SamplingOptions& options, int32_t token,
                               int64_t position);

 private:
  void describe(std::span<const float> logits, const SamplingOptions& options, int64_t position,
                SampledToken& result);
  int64_t drawable_rows(std::span<const float> logits) const;

  const kernels::KernelTable* kernels_;
  KnownTokens known_;
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace r1
