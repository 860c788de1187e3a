#include "train/sample_answer.h"

#include <algorithm>
#include <vector>

#include "model/sequence_cache.h"

namespace r1 {
namespace {

// Where the last answer begins; text that is trained as a whole is cut in the middle.
int64_t prompt_length(const TokenSequence& sample) {
  const auto count = static_cast<int64_t>(sample.tokens.size());
  int64_t at = count;
  while (at > 0 && sample.trained[at - 1] != 0) --at;
  if (at == count) {  // the end is not trained: the last run of marks
    while (at > 0 && sample.trained[at - 1] == 0) --at;
    while (at > 0 && sample.trained[at - 1] != 0) --at;
  }
  return at > 1 ? at : count / 2;
}

}  // namespace

SampleAnswer answer_sample(Context& context, const Decoder& model, const Adapter* adapter,
                           const Tokenizer& tokenizer, const TokenSequence& sample, int64_t most_tokens) {
  SampleAnswer out;
  const int64_t prompt = prompt_length(sample);
  const std::span<const int32_t> all(sample.tokens);
  const auto behind = all.subspan(prompt);
  out.prompt = tokenizer.decode(all.first(prompt), false);
  out.expected =
      tokenizer.decode(behind.first(std::min<size_t>(behind.size(), static_cast<size_t>(most_tokens))), true);
  if (prompt == 0 || behind.empty()) return out;

  const Arena::Scope scope(context.arena());
  SequenceCache sequence(model, prompt + most_tokens, KvCache::kTrainingDtype, KvCache::kTrainingDtype);
  const int64_t vocabulary = model.info().vocabulary;
  std::vector<float> logits(static_cast<size_t>(vocabulary));
  std::vector<int32_t> fed(all.begin(), all.begin() + prompt);
  std::vector<int32_t> answer;
  for (int64_t position = 0; static_cast<int64_t>(answer.size()) < most_tokens;) {
    const auto rows = static_cast<int64_t>(fed.size());
    const SequenceSlice slice = sequence.slice(rows, position, adapter);
    const int32_t last = static_cast<int32_t>(rows - 1);
    model.forward(context, {fed, {&slice, 1}, {&last, 1}}, sequence.cache(), logits.data(), {});
    position += rows;
    const auto token = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    if (token == all.back()) break;  // the end of a turn; of raw text, any token
    answer.push_back(token);
    fed.assign(1, token);
  }
  out.answer = tokenizer.decode(answer, true);
  return out;
}

}  // namespace r1
