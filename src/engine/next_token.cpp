#include "engine/next_token.h"

#include <algorithm>

namespace r1 {
namespace {

/// True when an open thinking block has to be closed now. Depends on the request's own tokens alone, but for
/// answer_now.
bool must_close(Sequence& sequence) {
  const ThinkingOptions& options = sequence.request.thinking;
  const bool asked = sequence.answer_now.exchange(false, std::memory_order_relaxed);
  if (!sequence.thinking || options.closing.empty()) return false;
  if (asked) return true;
  if (options.budget >= 0 && sequence.reasoning_tokens >= options.budget) return true;
  return options.answer_reserve > 0 &&
         sequence.generated() + std::ssize(options.closing) + options.answer_reserve >= sequence.max_tokens;
}

SampledToken choose(Sequence& sequence, Sampler& sampler, std::span<const float> logits) {
  const ThinkingOptions& options = sequence.request.thinking;
  const int64_t position = std::ssize(sequence.tokens);
  if (sequence.closing < 0 && must_close(sequence)) sequence.closing = 0;
  if (sequence.closing >= 0) {
    const int32_t token = options.closing[sequence.closing++];
    if (sequence.closing == std::ssize(options.closing)) sequence.closing = -1;
    return sampler.describe_forced(logits, sequence.request.sampling, token, position);
  }
  std::span<const uint64_t> allowed;
  if (sequence.request.constraint) allowed = sequence.request.constraint(sequence.generated_tokens());
  return sampler.sample(logits, sequence.request.sampling, sequence.tokens, sequence.prompt_tokens, position,
                        allowed);
}

void follow_thinking(Sequence& sequence, int32_t token) {
  const ThinkingOptions& options = sequence.request.thinking;
  if (token == options.close_token && token >= 0) {
    sequence.thinking = false;
  } else if (token == options.open_token && token >= 0) {
    sequence.thinking = true;
  } else if (sequence.thinking) {
    ++sequence.reasoning_tokens;
  }
}

}  // namespace

int64_t advance(Sequence& sequence, Sampler& sampler, const float* logits, int64_t vocabulary) {
  const Request& request = sequence.request;
  const int64_t drafts = std::ssize(sequence.draft);
  try {
    for (int64_t row = 0;; ++row) {
      SampledToken sampled =
          choose(sequence, sampler, {logits + row * vocabulary, static_cast<size_t>(vocabulary)});
      const int32_t token = sampled.token;
      if (!sampled.forced && std::ranges::find(request.stop_tokens, token) != request.stop_tokens.end()) {
        sequence.finish = FinishReason::stop_token;
        return row;
      }
      follow_thinking(sequence, token);
      sequence.tokens.push_back(token);
      sequence.fresh.push_back(std::move(sampled));
      if (sequence.generated() == sequence.max_tokens) sequence.finish = FinishReason::length;
      if (sequence.loop && sequence.loop->add(sequence.generated_tokens()))
        sequence.finish = FinishReason::loop;
      if (sequence.finish || row == drafts || sequence.draft[row] != token) return row;
    }
  } catch (const std::exception& error) {
    sequence.finish = FinishReason::error;
    sequence.summary.error = error.what();
    if (const auto* known = dynamic_cast<const Error*>(&error)) sequence.summary.error_kind = known->kind();
    return std::ssize(sequence.fresh);
  }
}

}  // namespace r1
