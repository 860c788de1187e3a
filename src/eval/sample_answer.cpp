#include "eval/sample_answer.h"

#include <algorithm>

#include "engine/engine.h"
#include "model/kv_cache.h"
#include "nn/adapter.h"

namespace r1 {
namespace {

// Where the last answer begins; text that is trained as a whole is cut in the middle.
size_t prompt_length(const TokenSequence& sample) {
  const size_t count = sample.tokens.size();
  size_t at = count;
  while (at > 0 && sample.trained[at - 1] != 0) --at;
  if (at == count) {  // the end is not trained: the last run of marks
    while (at > 0 && sample.trained[at - 1] == 0) --at;
    while (at > 0 && sample.trained[at - 1] != 0) --at;
  }
  return at > 1 ? at : count / 2;
}

}  // namespace

std::vector<SampleAnswer> answer_samples(Context& context, const std::shared_ptr<const Model>& model,
                                         const Adapter* adapter, const Tokenizer& tokenizer,
                                         std::span<const TokenSequence* const> samples, int64_t max_tokens) {
  std::vector<SampleAnswer> answers(samples.size());
  std::vector<std::vector<int32_t>> tokens(samples.size());
  std::vector<Request> requests;
  int64_t longest = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::span<const int32_t> all(samples[i]->tokens);
    const size_t prompt = prompt_length(*samples[i]);
    const auto expected = all.subspan(prompt);
    answers[i].prompt = tokenizer.decode(all.first(prompt), false);
    answers[i].expected =
        tokenizer.decode(expected.first(std::min(expected.size(), static_cast<size_t>(max_tokens))), true);
    const int64_t room = model->info().context_length - static_cast<int64_t>(prompt);
    if (prompt == 0 || expected.empty() || room < 1) continue;
    Request request;
    request.prompt.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(prompt));
    request.sampling.temperature = 0;
    request.max_tokens = std::min(max_tokens, room);
    request.stop_tokens = {all.back()};  // the end of a turn; of raw text, any token
    request.adapter = adapter;
    request.on_token = [&answer = tokens[i]](const SampledToken& sampled) {
      answer.push_back(sampled.token);
      return true;
    };
    longest = std::max(longest, static_cast<int64_t>(prompt) + request.max_tokens);
    requests.push_back(std::move(request));
  }
  if (requests.empty()) return answers;
  EngineOptions options;
  options.context_length = longest;
  options.key_dtype = options.value_dtype = DType::f32;
  options.sequences = static_cast<int64_t>(requests.size());
  const int64_t blocks = options.sequences * (longest / KvCache::kBlockTokens + 2);
  options.kv_bytes =
      blocks * static_cast<int64_t>(KvCache::block_bytes(model->kv_layers(), DType::f32, DType::f32));
  options.known_tokens.limit = std::min<int64_t>(tokenizer.size(), model->info().vocabulary);
  for (int32_t id = 0; id < options.known_tokens.limit; ++id) {
    if (!tokenizer.is_token(id)) options.known_tokens.holes.push_back(id);
  }
  Engine engine(model, context, options);
  for (Request& request : requests) engine.submit(std::move(request));
  engine.run();
  for (size_t i = 0; i < samples.size(); ++i) answers[i].answer = tokenizer.decode(tokens[i], true);
  return answers;
}

}  // namespace r1
