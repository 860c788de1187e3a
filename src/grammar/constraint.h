// Holds one answer to a grammar: which tokens may come next. Inside an open thinking block everything may
// come but the end of the answer; the grammar begins behind </think>.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
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
  Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
             const ThinkingTokens& thinking);

  /// The tokens that may follow `generated` (all of the answer's tokens so far; it only ever grows): bit t %
  /// 64 of word t / 64. Valid until the next call. Throws Error(invalid_argument) when `generated` already
  /// breaks the grammar.
  std::span<const uint64_t> allowed(std::span<const int32_t> generated);

 private:
  void accept(int32_t token);
  const std::vector<uint64_t>& mask(ConfigurationId configuration);
  void add_subtree(int32_t node, ConfigurationId configuration, std::vector<uint64_t>& words);

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  ThinkingTokens thinking_;
  bool inside_;
  int newlines_ = 0;  // that may still come between </think> and the grammar
  size_t seen_ = 0;
  Machine machine_;
  ConfigurationId at_;
  ConfigurationId begin_;
  std::vector<uint64_t> thinking_mask_, begin_mask_;
  std::unordered_map<ConfigurationId, std::vector<uint64_t>> masks_;
};

}  // namespace r1::grammar
