// Which tokens fit at a state of a grammar, as far as that can be said without knowing who called the state's
// rule: found by one walk over the vocabulary, kept for all requests.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/machine.h"
#include "grammar/token_trie.h"

namespace r1::grammar {

struct StateMask {
  std::vector<uint64_t> words;  // tokens that fit inside of the rule; empty when `tokens` says it
  std::vector<int32_t> tokens;  // the same as a list, where it is short
  std::vector<int32_t> exits;   // nodes of the trie at whose end the rule may have ended
};

/// Safe to use from several threads.
class MaskCache {
 public:
  explicit MaskCache(const Grammar& grammar) : grammar_(&grammar) {}

  /// Of a state that does not remember. Throws Error(invalid_argument) when the walk takes more than `steps`;
  /// those that it took are taken off.
  std::shared_ptr<const StateMask> find(StateId state, const TokenTrie& trie, int64_t& steps);

 private:
  std::shared_ptr<const StateMask> make(StateId state, const TokenTrie& trie, int64_t& steps);

  const Grammar* grammar_;
  std::mutex mutex_;
  const TokenTrie* trie_ = nullptr;  // a grammar is used with one vocabulary; another one clears the cache
  std::string text_;                 // of the walk
  std::unique_ptr<Machine> machine_;
  std::list<StateId> recent_;  // the masks' states; last used first
  struct Entry {
    std::shared_ptr<const StateMask> mask;
    std::list<StateId>::iterator place;
  };
  std::unordered_map<StateId, Entry> masks_;
};

}  // namespace r1::grammar
