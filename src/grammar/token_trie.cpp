#include "grammar/token_trie.h"

#include <algorithm>

namespace r1::grammar {

TokenTrie::TokenTrie(const Tokenizer& tokenizer, int64_t vocabulary, std::vector<int32_t> end_tokens)
    : tokenizer_(tokenizer),
      vocabulary_(vocabulary),
      end_tokens_(std::move(end_tokens)),
      same_bytes_(tokenizer.size(), -1) {
  std::vector<int32_t> tokens;
  for (int32_t token = 0; token < tokenizer_.size() && token < vocabulary; ++token) {
    const std::string_view bytes = tokenizer_.token_bytes(token);
    if (bytes.empty() || bytes.size() > 0xFFFF || tokenizer_.is_special(token) || tokenizer_.is_added(token))
      continue;
    if (std::ranges::find(end_tokens_, token) == end_tokens_.end()) tokens.push_back(token);
  }
  std::ranges::sort(tokens, {}, [&](int32_t token) { return tokenizer_.token_bytes(token); });

  nodes_.push_back({0, -1, 0, 0});
  std::vector<int32_t> path = {0};  // nodes from the root to the last token's end
  std::string_view last;
  for (const int32_t token : tokens) {
    const std::string_view bytes = tokenizer_.token_bytes(token);
    size_t common = 0;
    while (common < last.size() && common < bytes.size() && last[common] == bytes[common]) ++common;
    for (size_t depth = path.size() - 1; depth > common; --depth) {
      nodes_[path[depth]].subtree_end = static_cast<int32_t>(nodes_.size());
    }
    path.resize(common + 1);
    for (size_t depth = common; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({0, -1, static_cast<uint16_t>(depth + 1), static_cast<uint8_t>(bytes[depth])});
    }
    Node& end = nodes_[path.back()];
    same_bytes_[token] = end.token;
    end.token = token;
    last = bytes;
  }
  for (const int32_t node : path) nodes_[node].subtree_end = static_cast<int32_t>(nodes_.size());
}

std::string_view TokenTrie::bytes_at(int32_t node) const {
  int32_t below = node;
  while (nodes_[below].token < 0) ++below;  // every leaf ends a token
  return tokenizer_.token_bytes(nodes_[below].token).substr(0, nodes_[node].depth);
}

}  // namespace r1::grammar
