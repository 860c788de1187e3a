// The bytes of all tokens of a vocabulary as one tree, for finding every token that fits at a place in one
// walk.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace r1::grammar {

/// Const after construction. Tokens that are special or added (<think>) are not in the tree: a grammar names
/// those by their ids.
class TokenTrie {
 public:
  /// `vocabulary`: rows of the model's output, at least the tokenizer's size. `end_tokens`: end an answer.
  TokenTrie(const Tokenizer& tokenizer, int64_t vocabulary, std::vector<int32_t> end_tokens);

  /// Nodes in depth-first order; node 0 is the root. The children of node i are i + 1 and, from each child,
  /// its subtree_end, while less than i's subtree_end.
  struct Node {
    int32_t subtree_end;
    int32_t token;  // that ends here; -1: none
    uint16_t depth;
    uint8_t byte;
  };
  std::span<const Node> nodes() const { return nodes_; }
  /// The next token with the same bytes; -1: none.
  int32_t same_bytes(int32_t token) const { return same_bytes_[token]; }

  /// What leads from the root to a node.
  std::string_view bytes_at(int32_t node) const;

  const std::vector<int32_t>& end_tokens() const { return end_tokens_; }
  /// 64-bit words of a mask with a bit for each token.
  int64_t mask_words() const { return (vocabulary_ + 63) / 64; }
  int64_t vocabulary() const { return vocabulary_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  Tokenizer tokenizer_;
  int64_t vocabulary_;
  std::vector<int32_t> end_tokens_;
  std::vector<Node> nodes_;
  std::vector<int32_t> same_bytes_;
};

}  // namespace r1::grammar
