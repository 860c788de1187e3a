#include "grammar/mask_cache.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxMasks = 512;              // some 20 KB each at most
constexpr size_t kMaxConfigurations = 50'000;  // of the walks' machine

}  // namespace

std::shared_ptr<const StateMask> MaskCache::find(StateId state, const TokenTrie& trie) {
  const std::lock_guard lock(mutex_);
  if (trie_ != &trie || masks_.size() >= kMaxMasks || !machine_ ||
      machine_->configurations() > kMaxConfigurations) {
    trie_ = &trie;
    masks_.clear();
    machine_ = std::make_unique<Machine>(*grammar_);
  }
  auto& known = masks_[state];
  if (known) return known;
  auto mask = std::make_shared<StateMask>();
  const std::span<const TokenTrie::Node> nodes = trie.nodes();
  std::vector<ConfigurationId> path = {machine_->start(state)};
  for (int32_t node = 1; node < static_cast<int32_t>(nodes.size());) {
    const TokenTrie::Node& at = nodes[node];
    const ConfigurationId next = machine_->step(path[at.depth - 1], at.byte);
    if (next == Machine::kDead) {
      node = at.subtree_end;
      continue;
    }
    for (int32_t token = at.token; token >= 0; token = trie.same_bytes(token)) mask->tokens.push_back(token);
    const bool leaf = at.subtree_end == node + 1;
    if (!leaf) {
      if (machine_->at(next).ends) mask->exits.push_back(node);
      if (path.size() <= at.depth) path.resize(at.depth + 1);
      path[at.depth] = next;
    }
    ++node;
  }
  if (mask->tokens.size() > static_cast<size_t>(trie.mask_words())) {
    mask->words.assign(trie.mask_words(), 0);
    for (const int32_t token : mask->tokens) mask->words[token / 64] |= uint64_t{1} << (token % 64);
    mask->tokens.clear();
    mask->tokens.shrink_to_fit();
  }
  known = std::move(mask);
  return known;
}

}  // namespace r1::grammar
