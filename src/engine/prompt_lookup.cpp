#include "engine/prompt_lookup.h"

#include <algorithm>

#include "base/random.h"

namespace r1 {
namespace {

constexpr int64_t kGram = 3;           // shorter agreements are mostly accidents
constexpr int kMaxCandidates = 32;     // of a chain
constexpr int64_t kMaxAgreement = 64;  // agreement beyond this makes no difference
constexpr int64_t kMaxDraft = 256;     // keeps length_ from running away

uint64_t hash_gram(const int32_t* tokens) {
  uint64_t hash = 0;
  for (int64_t i = 0; i < kGram; ++i) hash = mix_bits(hash ^ static_cast<uint32_t>(tokens[i]));
  return hash;
}

}  // namespace

std::vector<int32_t> PromptLookup::draft(std::span<const int32_t> tokens, int64_t limit) {
  const int64_t size = std::ssize(tokens);
  int32_t candidate = -1;
  previous_.reserve(size);
  for (int64_t end = std::ssize(previous_); end <= size; ++end) {
    previous_.push_back(-1);
    if (end < kGram) continue;
    const auto [entry, fresh] = newest_.try_emplace(hash_gram(&tokens[end - kGram]), end);
    if (!fresh) {
      previous_[end] = entry->second;
      entry->second = static_cast<int32_t>(end);
    }
  }
  candidate = previous_[size];
  int64_t best_length = kGram - 1;
  int64_t best = -1;
  for (int tried = 0; candidate >= 0 && tried < kMaxCandidates; ++tried, candidate = previous_[candidate]) {
    int64_t length = 0;
    while (length < candidate && length < kMaxAgreement &&
           tokens[candidate - 1 - length] == tokens[size - 1 - length]) {
      ++length;
    }
    if (length > best_length) {
      best_length = length;
      best = candidate;
    }
  }
  if (best < 0) return {};
  std::vector<int32_t> result;
  const int64_t wanted = std::min(limit, length_);
  // A match that overlaps the end is a period: the draft then copies from itself.
  for (int64_t i = 0; i < wanted; ++i) {
    result.push_back(best + i < size ? tokens[best + i] : result[best + i - size]);
  }
  return result;
}

void PromptLookup::report(int64_t drafted, int64_t accepted) {
  if (drafted == 0) return;
  length_ = accepted == drafted ? std::min(kMaxDraft, std::max(length_, drafted) * 2) : accepted + 1;
}

}  // namespace r1
