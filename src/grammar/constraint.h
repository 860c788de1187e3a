// Holds one answer to a grammar: which tokens may come next. Inside an open thinking block everything may
// come but the end of the answer; the grammar begins behind </think>.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/machine.h"
#include "grammar/token_trie.h"

namespace r1::grammar {

struct ThinkingTokens {
  bool starts_inside = false;                 // the prompt ends inside an open thinking block
  int32_t open_token = -1, close_token = -1;  // -1: there is none
};

/// One thread at a time.
class Constraint {
 public:
  /// Of machine steps that finding one mask may take; a walk over a vocabulary of 150,000 tokens takes about a
  /// million.
  static constexpr int64_t kMaxSteps = 150'000'000;

  Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
             const ThinkingTokens& thinking, int64_t max_steps = kMaxSteps);

  /// The tokens that may follow `generated` (all of the answer's tokens so far; it only ever grows): bit t %
  /// 64 of word t / 64. Valid until the next call. Throws Error(invalid_argument) when `generated` already
  /// breaks the grammar, and when finding the tokens takes more than the steps that are allowed.
  std::span<const uint64_t> allowed(std::span<const int32_t> generated);

 private:
  using Words = std::vector<uint64_t>;

  void accept(int32_t token);
  void move_to(ConfigurationId next);
  const Words& mask(ConfigurationId configuration);
  Words make_mask(ConfigurationId configuration);
  void add_state_mask(const std::vector<Machine::Element>& elements, Words& words);
  void add_subtree(int32_t node, ConfigurationId configuration, Words& words);

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  ThinkingTokens thinking_;
  int64_t max_steps_;
  bool inside_;
  int newlines_ = 0;  // that may still come between </think> and the grammar
  size_t seen_ = 0;
  std::string text_;  // of the grammar's part, without special tokens
  Machine machine_;
  ConfigurationId at_;
  ConfigurationId begin_;
  Words thinking_mask_, begin_mask_, passing_mask_;
  struct Entry {
    ConfigurationId configuration;  // pinned
    Words words;
  };
  std::list<Entry> masks_;  // last used first
  std::unordered_map<ConfigurationId, std::list<Entry>::iterator> known_masks_;
};

}  // namespace r1::grammar
