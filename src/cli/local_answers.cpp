#include "cli/local_answers.h"

#include <algorithm>

#include "base/error.h"
#include "base/memory_use.h"
#include "cli/model_location.h"
#include "eval/weights_hash.h"

namespace r1::cli {
namespace {

int64_t checked_context(const TextModel& model, int64_t asked) {
  const int64_t trained = model.info().context_length;
  if (asked > trained) {
    throw_error(ErrorKind::invalid_argument, "--ctx-size: the model was trained for {} tokens, found {}",
                trained, asked);
  }
  return asked > 0 ? asked : trained;
}

}  // namespace

LocalAnswers::LocalAnswers(const std::string& model, const RuntimeOptions& runtime, int64_t context_length)
    : text_(TextModel::load(locate_or_pull_model(model), load_options(0, runtime.overrides))),
      runtime_(runtime),
      context_length_(checked_context(text_, context_length)),
      weights_sha256_(eval::weights_hash(*text_.file(), runtime.overrides)),
      pool_(runtime.threads),
      context_(pool_, select_kernels(runtime), Arithmetic::fast) {}

int64_t LocalAnswers::longest_prompt(const std::vector<eval::Item>& items) const {
  size_t longest = 0;
  for (const eval::Item& item : items)
    longest = std::max(longest, text_.encode(text_.chat_prompt(item.messages)).size());
  return static_cast<int64_t>(longest);
}

Responder& LocalAnswers::prepare(int64_t tokens, int64_t batch) {
  responder_.reset();
  engine_.reset();
  EngineOptions options;
  options.context_length = std::min(context_length_, tokens);
  options.key_dtype = cache_dtype(runtime_.cache_type_k);
  options.value_dtype = cache_dtype(runtime_.cache_type_v);
  options.sequences = batch;
  options.known_tokens = known_tokens(text_.vocabulary(), text_.info().vocabulary);
  const auto block = static_cast<int64_t>(
      KvCache::block_bytes(text_.model().kv_layers(), options.key_dtype, options.value_dtype));
  const int64_t one = (KvCache::blocks_for(options.context_length) + 1) * block;
  const auto room = static_cast<int64_t>(available_memory() / 2);
  options.kv_bytes = std::max(one, std::min(one * batch, room));
  engine_ = std::make_unique<Engine>(text_.shared_model(), context_, options);
  responder_ = std::make_unique<EngineResponder>(*engine_, text_);
  return *responder_;
}

}  // namespace r1::cli
