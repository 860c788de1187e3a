#include "engine/perplexity.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "engine/sampling_math.h"
#include "model/sequence_cache.h"
#include "nn/log_probability.h"

namespace r1 {
namespace {

constexpr int64_t kLogitRows = 128;  // rows of logits held at once: 78 MB at 152k

/// Negative log-likelihood of `token`.
double surprise(const kernels::KernelTable& kernels, std::span<const float> logits, int32_t token,
                int64_t position) {
  const double result = -static_cast<double>(log_softmax(kernels, logits)(logits[token]));
  if (!std::isfinite(result)) largest_logit(logits, position);  // names the logit that is not a number
  return result;
}

}  // namespace

PerplexityResult perplexity(const Model& model, Context& context, std::span<const int32_t> tokens,
                            std::optional<int32_t> bos, const PerplexityOptions& options,
                            const std::function<void(const PerplexityResult&, int64_t windows)>& progress) {
  const int64_t window = options.window;
  const int64_t vocabulary = model.info().vocabulary;
  if (window < 4 || options.batch_tokens < 1) {
    throw_error(ErrorKind::invalid_argument, "perplexity: expected a window of at least 4 tokens, found {}",
                window);
  }
  if (window > model.info().context_length) {
    throw_error(ErrorKind::context_overflow,
                "perplexity: a window of {} tokens, the model's context holds {}", window,
                model.info().context_length);
  }
  int64_t windows = std::ssize(tokens) / window;
  if (windows == 0) {
    throw_error(ErrorKind::invalid_argument, "perplexity: the text has {} tokens, a window needs {}",
                tokens.size(), window);
  }
  if (options.windows >= 0) windows = std::min(windows, options.windows);

  SequenceCache sequence(model, window, options.key_dtype, options.value_dtype);
  const std::unique_ptr<float[]> logits(new float[kLogitRows * vocabulary]);
  std::vector<double> surprises;

  PerplexityResult result;
  double sum = 0;
  double squares = 0;
  for (int64_t index = 0; index < windows; ++index) {
    std::vector<int32_t> text(tokens.begin() + index * window, tokens.begin() + (index + 1) * window);
    if (bos) text[0] = *bos;
    const int64_t first = window / 2;
    for (int64_t position = 0; position < window - 1;) {
      const bool scored = position >= first;
      const int64_t end = scored ? window - 1 : first;
      const int64_t max_rows = scored ? std::min(kLogitRows, options.batch_tokens) : options.batch_tokens;
      const int64_t rows = std::min(end - position, max_rows);
      std::vector<int32_t> outputs(scored ? rows : 0);
      std::iota(outputs.begin(), outputs.end(), 0);
      const SequenceSlice slice = sequence.slice(rows, position);
      model.forward(context, {std::span(text).subspan(position, rows), {&slice, 1}, outputs},
                    sequence.cache(), logits.get());
      surprises.assign(outputs.size(), 0);
      context.pool().parallel_for(std::ssize(outputs), [&](int64_t row, int) {
        surprises[row] =
            surprise(context.kernels(), {logits.get() + row * vocabulary, static_cast<size_t>(vocabulary)},
                     text[position + row + 1], position + row);
      });
      for (double value : surprises) {
        sum += value;
        squares += value * value;
      }
      result.scored_tokens += std::ssize(outputs);
      position += rows;
    }
    const auto count = static_cast<double>(result.scored_tokens);
    const double mean = sum / count;
    result.windows = index + 1;
    result.perplexity = std::exp(mean);
    const double variance = squares / count - mean * mean;
    result.standard_error =
        count > 1 && variance > 0 ? std::sqrt(variance / (count - 1)) * result.perplexity : 0;
    if (progress) progress(result, windows);
  }
  return result;
}

}  // namespace r1
