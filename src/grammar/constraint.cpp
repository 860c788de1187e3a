#include "grammar/constraint.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/mask_cache.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxMasks = 64;  // a mask of a large vocabulary has 20 KB
// From here on one walk with all of a configuration's places costs less than one for each.
constexpr size_t kMaxSeparateStates = 8;

void set_bit(std::vector<uint64_t>& words, int32_t token) {
  words[token / 64] |= uint64_t{1} << (token % 64);
}

}  // namespace

Constraint::Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie,
                       const ThinkingTokens& thinking, int64_t max_steps)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      thinking_(thinking),
      max_steps_(max_steps),
      inside_(thinking.starts_inside),
      machine_(*grammar_, &text_) {
  machine_.limit_steps(max_steps_);
  at_ = begin_ = machine_.start(grammar_->rule_start(grammar_->root()));
  machine_.pin(at_);
  machine_.pin(begin_);
}

void Constraint::move_to(ConfigurationId next) {
  machine_.pin(next);
  machine_.unpin(at_);
  at_ = next;
}

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
    move_to(machine_.step_token(at_, token));
  } else {
    for (size_t i = 0; i < bytes.size() && at_ != Machine::kDead; ++i) {
      text_.push_back(bytes[i]);
      move_to(machine_.step(at_, static_cast<uint8_t>(bytes[i])));
    }
  }
  if (at_ == Machine::kDead)
    throw_error(ErrorKind::invalid_argument, "constraint: token {} does not fit the grammar", token);
}

/// Adds the tokens below a node of the trie that fit when the walk is at `configuration` there.
void Constraint::add_subtree(int32_t node, ConfigurationId configuration, Words& words) {
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  const int base = nodes[node].depth;
  const size_t before = text_.size();
  MachinePath path(machine_, configuration);
  for (int32_t at = node + 1; at < nodes[node].subtree_end;) {
    const size_t depth = nodes[at].depth - base;
    text_.resize(before + depth - 1);
    text_.push_back(static_cast<char>(nodes[at].byte));
    machine_.add_steps(1);
    const ConfigurationId next = machine_.step(path[depth - 1], nodes[at].byte);
    if (next == Machine::kDead) {
      at = nodes[at].subtree_end;
      continue;
    }
    for (int32_t token = nodes[at].token; token >= 0; token = trie_->same_bytes(token)) set_bit(words, token);
    path.set(depth, next);
    ++at;
  }
  text_.resize(before);
}

/// Adds the tokens that fit at these places, which are of one state that does not remember.
void Constraint::add_state_mask(const std::vector<Machine::Element>& elements, Words& words) {
  int64_t steps = machine_.steps_left();
  const std::shared_ptr<const StateMask> local = grammar_->cache().find(elements[0].state, *trie_, steps);
  machine_.limit_steps(steps);
  for (size_t i = 0; i < local->words.size(); ++i) words[i] |= local->words[i];
  for (const int32_t token : local->tokens) set_bit(words, token);
  const size_t before = text_.size();
  for (const Machine::Element& element : elements) {
    // Tokens that continue behind the rule's end depend on who called it.
    const auto add = [&](int32_t node, ConfigurationId behind) {
      if (behind == Machine::kDead) return;
      if (grammar_->remembers()) {
        for (int32_t token = trie_->nodes()[node].token; token >= 0; token = trie_->same_bytes(token))
          set_bit(words, token);
      }
      add_subtree(node, behind, words);
    };
    if (element.stack == 0) {
      if (!grammar_->remembers()) continue;
      for (const int32_t node : local->exits) {
        for (int32_t token = trie_->nodes()[node].token; token >= 0; token = trie_->same_bytes(token))
          set_bit(words, token);
      }
    } else if (!machine_.has_distinct(element.stack)) {
      if (local->exits.empty()) continue;
      const ConfigurationId behind = machine_.enter({machine_.pop(element.stack)});
      machine_.pin(behind);
      for (const int32_t node : local->exits) add(node, behind);
      machine_.unpin(behind);
    } else {
      for (const int32_t node : local->exits) {
        text_ += trie_->bytes_at(node);
        if (const Machine::Element behind = machine_.pop(element.stack); behind.state >= 0)
          add(node, machine_.enter({behind}));
        text_.resize(before);
      }
    }
  }
}

Constraint::Words Constraint::make_mask(ConfigurationId configuration) {
  Words words(trie_->mask_words(), 0);
  const std::vector<Machine::Element> elements = machine_.at(configuration).elements;
  if (machine_.at(configuration).ends) {
    for (const int32_t token : trie_->end_tokens()) set_bit(words, token);
  }
  // One walk for the places that remember, and for all when they are many; otherwise one for each state, which
  // other requests use again.
  std::vector<Machine::Element> together;
  std::vector<std::vector<Machine::Element>> by_state;
  for (const Machine::Element& element : elements) {
    const State& state = grammar_->state(element.state);
    for (const Edge& edge : state.edges) {
      if (edge.kind == Edge::Kind::token && edge.value >= 0 && edge.value < trie_->vocabulary())
        set_bit(words, edge.value);
    }
    if (state.remembers) {
      together.push_back(element);
    } else if (by_state.empty() || by_state.back()[0].state != element.state) {
      by_state.push_back({element});
    } else {
      by_state.back().push_back(element);
    }
  }
  if (by_state.size() > kMaxSeparateStates) {
    together = elements;
    by_state.clear();
  }
  if (!together.empty()) {
    const ConfigurationId all = machine_.enter(std::move(together));
    if (all != Machine::kDead) add_subtree(0, all, words);
  }
  for (const std::vector<Machine::Element>& places : by_state) add_state_mask(places, words);
  return words;
}

const Constraint::Words& Constraint::mask(ConfigurationId configuration) {
  const std::vector<Machine::Element>& elements = machine_.at(configuration).elements;
  const bool depends_on_text =
      grammar_->remembers() && std::ranges::any_of(elements, [&](const auto& element) {
        return machine_.has_distinct(element.stack);
      });
  if (depends_on_text) {
    machine_.limit_steps(max_steps_);
    passing_mask_ = make_mask(configuration);
    return passing_mask_;
  }
  if (const auto known = known_masks_.find(configuration); known != known_masks_.end()) {
    masks_.splice(masks_.begin(), masks_, known->second);
    return masks_.front().words;
  }
  machine_.limit_steps(max_steps_);
  Words words = make_mask(configuration);
  if (masks_.size() >= kMaxMasks) {
    machine_.unpin(masks_.back().configuration);
    known_masks_.erase(masks_.back().configuration);
    masks_.pop_back();
  }
  machine_.pin(configuration);
  masks_.push_front({configuration, std::move(words)});
  known_masks_[configuration] = masks_.begin();
  return masks_.front().words;
}

std::span<const uint64_t> Constraint::allowed(std::span<const int32_t> generated) {
  machine_.limit_steps(max_steps_);
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
