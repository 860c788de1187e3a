#include "grammar/constraint.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "grammar/mask_cache.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxMasks = 64;  // a mask of a large vocabulary has 20 KB

void set_bit(std::vector<uint64_t>& words, int32_t token) {
  words[token / 64] |= uint64_t{1} << (token % 64);
}

}  // namespace

Constraint::Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
                       const ThinkingTokens& thinking)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      thinking_(thinking),
      inside_(thinking.starts_inside),
      machine_(*grammar_),
      at_(machine_.start(grammar_->rule_start(grammar_->root()))),
      begin_(at_) {}

void Constraint::accept(int32_t token) {
  if (inside_) {
    if (token != thinking_.close_token) return;
    inside_ = false;
    newlines_ = 2;  // as R1 writes them; they belong to neither part
    return;
  }
  const bool known = token >= 0 && token < trie_->tokenizer().size();
  std::string_view bytes = known ? trie_->tokenizer().token_bytes(token) : std::string_view();
  while (at_ == begin_ && newlines_ > 0 && bytes.starts_with('\n')) {
    bytes.remove_prefix(1);
    --newlines_;
    if (bytes.empty()) return;
  }
  const bool by_id = !known || trie_->tokenizer().is_special(token) || trie_->tokenizer().is_added(token);
  if (by_id) {
    at_ = machine_.step_token(at_, token);
  } else {
    for (size_t i = 0; i < bytes.size() && at_ != Machine::kDead; ++i)
      at_ = machine_.step(at_, static_cast<uint8_t>(bytes[i]));
  }
  if (at_ == Machine::kDead)
    throw_error(ErrorKind::invalid_argument, "constraint: token {} does not fit the grammar", token);
}

/// Adds the tokens below a node of the trie that fit when the walk stands at `configuration` there.
void Constraint::add_subtree(int32_t node, ConfigurationId configuration, std::vector<uint64_t>& words) {
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  const int base = nodes[node].depth;
  std::vector<ConfigurationId> path = {configuration};
  for (int32_t at = node + 1; at < nodes[node].subtree_end;) {
    const size_t depth = nodes[at].depth - base;
    const ConfigurationId next = machine_.step(path[depth - 1], nodes[at].byte);
    if (next == Machine::kDead) {
      at = nodes[at].subtree_end;
      continue;
    }
    for (int32_t token = nodes[at].token; token >= 0; token = trie_->same_bytes(token)) set_bit(words, token);
    if (path.size() <= depth) path.resize(depth + 1);
    path[depth] = next;
    ++at;
  }
}

const std::vector<uint64_t>& Constraint::mask(ConfigurationId configuration) {
  if (masks_.size() >= kMaxMasks && !masks_.contains(configuration)) masks_.clear();
  std::vector<uint64_t>& words = masks_[configuration];
  if (!words.empty()) return words;
  words.assign(trie_->mask_words(), 0);
  const std::vector<Machine::Element> elements = machine_.at(configuration).elements;
  if (machine_.at(configuration).ends) {
    for (const int32_t token : trie_->end_tokens()) set_bit(words, token);
  }
  StateId last = -1;
  std::shared_ptr<const StateMask> local;
  for (const Machine::Element& element : elements) {
    if (element.state != last) {
      last = element.state;
      local = grammar_->cache().find(element.state, *trie_);
      for (size_t i = 0; i < local->words.size(); ++i) words[i] |= local->words[i];
      for (const int32_t token : local->tokens) set_bit(words, token);
      for (const Edge& edge : grammar_->state(element.state).edges) {
        if (edge.kind == Edge::Kind::token && edge.value < trie_->vocabulary()) set_bit(words, edge.value);
      }
    }
    // Tokens that go on behind the rule's end depend on who called it.
    if (element.stack == 0 || local->exits.empty()) continue;
    const ConfigurationId behind = machine_.enter(machine_.pop(element.stack));
    if (behind == Machine::kDead) continue;
    for (const int32_t node : local->exits) add_subtree(node, behind, words);
  }
  return words;
}

std::span<const uint64_t> Constraint::allowed(std::span<const int32_t> generated) {
  while (seen_ < generated.size()) accept(generated[seen_++]);
  if (inside_) {
    if (thinking_mask_.empty()) {
      thinking_mask_.assign(trie_->mask_words(), ~uint64_t{0});
      for (const int32_t token : trie_->end_tokens())
        thinking_mask_[token / 64] &= ~(uint64_t{1} << (token % 64));
    }
    return thinking_mask_;
  }
  if (at_ != begin_ || newlines_ == 0) return mask(at_);
  begin_mask_ = mask(at_);
  // Tokens of newlines alone are enough: what follows can come as its own token.
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  for (int32_t node = 1, level = 1; node < static_cast<int32_t>(nodes.size()) && level <= newlines_;) {
    if (nodes[node].depth == level && nodes[node].byte == '\n') {
      for (int32_t token = nodes[node].token; token >= 0; token = trie_->same_bytes(token))
        set_bit(begin_mask_, token);
      ++level;
      ++node;
    } else if (nodes[node].depth < level) {
      break;
    } else {
      node = nodes[node].subtree_end;
    }
  }
  return begin_mask_;
}

}  // namespace r1::grammar
