#include "grammar/mask_cache.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxMasks = 512;  // some 20 KB each at most

}  // namespace

std::shared_ptr<const StateMask> MaskCache::find(StateId state, const TokenTrie& trie, int64_t& steps) {
  const std::lock_guard lock(mutex_);
  if (trie_ != &trie || !machine_) {
    trie_ = &trie;
    masks_.clear();
    recent_.clear();
    machine_ = std::make_unique<Machine>(*grammar_, &text_);
  }
  if (const auto known = masks_.find(state); known != masks_.end()) {
    recent_.splice(recent_.begin(), recent_, known->second.place);
    return known->second.mask;
  }
  std::shared_ptr<const StateMask> mask = make(state, trie, steps);
  if (masks_.size() >= kMaxMasks) {
    masks_.erase(recent_.back());
    recent_.pop_back();
  }
  recent_.push_front(state);
  masks_[state] = {mask, recent_.begin()};
  return mask;
}

std::shared_ptr<const StateMask> MaskCache::make(StateId state, const TokenTrie& trie, int64_t& steps) {
  auto mask = std::make_shared<StateMask>();
  const std::span<const TokenTrie::Node> nodes = trie.nodes();
  machine_->limit_steps(steps);
  text_.clear();
  MachinePath path(*machine_, machine_->start(state));
  int64_t visited = 0;
  for (int32_t node = 1; node < static_cast<int32_t>(nodes.size());) {
    const TokenTrie::Node& at = nodes[node];
    text_.resize(at.depth - 1);
    text_.push_back(static_cast<char>(at.byte));
    const ConfigurationId next = machine_->step(path[at.depth - 1], at.byte);
    machine_->add_steps(1);
    ++visited;
    if (next == Machine::kDead) {
      node = at.subtree_end;
      continue;
    }
    const bool ends = machine_->at(next).ends, is_leaf = at.subtree_end == node + 1;
    // Where the grammar remembers, a rule's end may not be allowed by what was written before.
    const bool certain = !ends || !grammar_->remembers() || !machine_->at(next).elements.empty();
    if (certain) {
      for (int32_t token = at.token; token >= 0; token = trie.same_bytes(token))
        mask->tokens.push_back(token);
    }
    if (ends && (!is_leaf || !certain)) mask->exits.push_back(node);
    if (!is_leaf) path.set(at.depth, next);
    ++node;
  }
  if (mask->tokens.size() > static_cast<size_t>(trie.mask_words())) {
    mask->words.assign(trie.mask_words(), 0);
    for (const int32_t token : mask->tokens) mask->words[token / 64] |= uint64_t{1} << (token % 64);
    mask->tokens.clear();
  }
  mask->tokens.shrink_to_fit();
  steps = machine_->steps_left();
  return mask;
}

}  // namespace r1::grammar
