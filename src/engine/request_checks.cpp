#include "engine/request_checks.h"

#include <algorithm>

#include "base/error.h"

namespace r1 {
namespace {

void check_tokens(const char* name, std::span<const int32_t> tokens, int64_t vocabulary) {
  for (size_t index = 0; index < tokens.size(); ++index) {
    if (tokens[index] < 0 || tokens[index] >= vocabulary) {
      throw_error(ErrorKind::invalid_argument, "{}[{}]: expected a token from 0 to {}, found {}", name, index,
                  vocabulary - 1, tokens[index]);
    }
  }
}

}  // namespace

EngineOptions complete_options(EngineOptions options, const Model& model, Arithmetic arithmetic) {
  constexpr int64_t kTokens = KvCache::kBlockTokens;
  const auto check = [](const char* name, int64_t value, int64_t low) {
    if (value < low)
      throw_error(ErrorKind::invalid_argument, "{}: expected at least {}, found {}", name, low, value);
  };
  check("batch tokens", options.batch_tokens, 2);
  check("sequences", options.sequences, 1);
  check("owner tokens", options.owner_tokens, 1);
  check("context length", options.context_length, 0);
  check("KV bytes", options.kv_bytes, 0);
  if (options.for_training) {
    if (arithmetic == Arithmetic::fast) {
      throw_error(ErrorKind::invalid_argument,
                  "engine for training: expected exact or mixed arithmetic, found fast");
    }
    options.key_dtype = options.value_dtype = KvCache::kTrainingDtype;
  }
  const int64_t trained = model.info().context_length;
  if (options.context_length > trained) {
    throw_error(ErrorKind::invalid_argument,
                "context length: the model was trained for {} tokens, asked for {}", trained,
                options.context_length);
  }
  const auto block =
      static_cast<int64_t>(KvCache::block_bytes(model.kv_layers(), options.key_dtype, options.value_dtype));
  const int64_t wanted = options.context_length > 0 ? options.context_length : trained;
  if (options.kv_bytes == 0) options.kv_bytes = KvCache::blocks_for(wanted) * block;
  const int64_t held = options.kv_bytes / block * kTokens;
  if (held == 0 || held < options.context_length) {
    throw_error(ErrorKind::invalid_argument,
                "KV bytes: {} hold {} tokens (a block of {} takes {}), the context of {} tokens needs {}",
                options.kv_bytes, held, kTokens, block, wanted, KvCache::blocks_for(wanted) * block);
  }
  options.context_length = std::min(wanted, held);
  const KnownTokens& known = options.known_tokens;
  const int64_t rows = model.info().vocabulary;
  const int64_t limit = known.limit < 0 ? rows : known.limit;
  if (limit < 1 || limit > rows) {
    throw_error(ErrorKind::invalid_argument, "known tokens: limit: expected 1 to {}, found {}", rows, limit);
  }
  for (size_t index = 0; index < known.holes.size(); ++index) {
    const int64_t low = index == 0 ? 0 : known.holes[index - 1] + 1;
    if (known.holes[index] < low || known.holes[index] >= limit) {
      throw_error(ErrorKind::invalid_argument, "known tokens: holes[{}]: expected {} to {}, found {}", index,
                  low, limit - 1, known.holes[index]);
    }
  }
  return options;
}

void check_request(const Request& request, int64_t vocabulary, const EngineOptions& options) {
  const int64_t context = options.context_length;
  const auto refuse = [](const char* name, const char* expected, int64_t found) {
    throw_error(ErrorKind::invalid_argument, "{}: expected {}, found {}", name, expected, found);
  };
  validate(request.sampling, vocabulary);
  check_tokens("prompt", request.prompt, vocabulary);
  check_tokens("stop tokens", request.stop_tokens, vocabulary);
  check_tokens("thinking.closing", request.thinking.closing, vocabulary);
  for (const int32_t token : request.thinking.closing) {
    if (!options.known_tokens.contains(token))
      refuse("thinking.closing", "tokens that the vocabulary has", token);
  }
  if (request.prompt.empty()) refuse("prompt", "at least one token", 0);
  if (request.max_tokens < -1 || request.max_tokens == 0) {
    refuse("max tokens", "-1 (no limit) or at least 1", request.max_tokens);
  }
  if (request.speculation < 0 || request.speculation > 64)
    refuse("speculation", "0 to 64", request.speculation);
  const ThinkingOptions& thinking = request.thinking;
  if (thinking.budget < -1) refuse("thinking.budget", "-1 (no limit) or more", thinking.budget);
  if (thinking.answer_reserve < 0) refuse("thinking.answer_reserve", "0 or more", thinking.answer_reserve);
  const bool closes = std::ranges::find(thinking.closing, thinking.close_token) != thinking.closing.end();
  if ((thinking.budget >= 0 || thinking.answer_reserve > 0 || !thinking.closing.empty()) && !closes) {
    refuse("thinking.closing", "tokens with thinking.close_token among them", thinking.close_token);
  }
  const int64_t prompt = std::ssize(request.prompt);
  if (request.max_tokens > context || prompt + std::max<int64_t>(1, request.max_tokens) > context) {
    throw_error(ErrorKind::context_overflow,
                "context: a prompt of {} tokens and {} to generate need {}, there is room for {}", prompt,
                std::max<int64_t>(1, request.max_tokens), prompt + std::max<int64_t>(1, request.max_tokens),
                context);
  }
}

}  // namespace r1
