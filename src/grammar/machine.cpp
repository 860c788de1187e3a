#include "grammar/machine.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "grammar/canonical.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxElements = 20'000;         // of one configuration
constexpr size_t kMaxBytes = size_t{24} << 20;  // of remembered configurations
constexpr size_t kMaxStacks = 2'000'000;
constexpr ConfigurationId kUnknown = -2;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15;
  return hash ^ (hash >> 29);
}

uint64_t element_hash(const Machine::Element& element) {
  return mix(mix(static_cast<uint64_t>(element.state) + 1, static_cast<uint64_t>(element.stack)),
             static_cast<uint64_t>(element.memory));
}

}  // namespace

void Machine::too_many_steps() const {
  throw_error(ErrorKind::invalid_argument,
              "constraint: too complex: the next tokens take too many steps to find");
}

int32_t Machine::push(StateId return_state, const Element& caller, bool distinct) {
  const int64_t begin = distinct && text_ != nullptr ? static_cast<int64_t>(text_->size()) : -1;
  if (distinct) looked_at_text_ = true;
  uint64_t hash = mix(mix(static_cast<uint64_t>(return_state), static_cast<uint64_t>(caller.stack)),
                      mix(static_cast<uint64_t>(caller.memory), static_cast<uint64_t>(begin)));
  std::vector<int32_t>& chain = known_stacks_[hash];
  for (const int32_t known : chain) {
    const Stack& stack = stacks_[known];
    if (stack.return_state == return_state && stack.below == caller.stack && stack.memory == caller.memory &&
        stack.begin == begin)
      return known;
  }
  if (stacks_.size() >= kMaxStacks)
    throw_error(ErrorKind::invalid_argument, "constraint: too many nested rules to be followed");
  chain.push_back(static_cast<int32_t>(stacks_.size()));
  stacks_.push_back(
      {return_state, caller.stack, caller.memory, begin, begin >= 0 || stacks_[caller.stack].any_distinct});
  return chain.back();
}

bool Machine::knows(int32_t memory, uint64_t what) const {
  for (; memory > 0; memory = memories_[memory].first) {
    if (memories_[memory].second == what) return true;
  }
  return false;
}

int32_t Machine::remember(int32_t memory, uint64_t what) {
  std::vector<int32_t>& chain = known_memories_[mix(static_cast<uint64_t>(memory), what)];
  for (const int32_t known : chain) {
    if (memories_[known] == std::pair(memory, what)) return known;
  }
  chain.push_back(static_cast<int32_t>(memories_.size()));
  memories_.push_back({memory, what});
  return chain.back();
}

uint64_t Machine::hash_of_text(int64_t begin) {
  const std::string_view text = std::string_view(*text_).substr(static_cast<size_t>(begin));
  add_steps(static_cast<int64_t>(text.size()) + 50);
  return std::hash<std::string>()(canonical_text(text));
}

Machine::Element Machine::pop(int32_t stack) {
  const Stack& top = stacks_[stack];
  Element behind{top.return_state, top.below, top.memory};
  if (top.begin >= 0) {
    looked_at_text_ = true;
    const uint64_t hash = hash_of_text(top.begin);
    if (knows(behind.memory, hash)) return {-1, 0, 0};
    behind.memory = remember(behind.memory, hash);
  }
  return behind;
}

ConfigurationId Machine::enter(std::vector<Element> elements) {
  return close(std::move(elements));
}

/// Follows everything that takes nothing.
ConfigurationId Machine::close(std::vector<Element> open) {
  looked_at_text_ = false;
  bool ends = false;
  std::vector<Element> kept;
  struct Hash {
    size_t operator()(const Element& element) const { return element_hash(element); }
  };
  // Few elements are compared one by one; a set is only made for many.
  std::vector<Element> few = open;
  std::unordered_set<Element, Hash> many;
  const auto visit = [&](const Element& element) {
    if (few.size() < 24) {
      if (std::ranges::find(few, element) != few.end()) return;
      few.push_back(element);
    } else {
      if (many.empty()) many.insert(few.begin(), few.end());
      if (!many.insert(element).second) return;
      if (many.size() > kMaxElements)
        throw_error(ErrorKind::invalid_argument, "constraint: too ambiguous to be followed");
    }
    open.push_back(element);
  };
  while (!open.empty()) {
    const Element at = open.back();
    open.pop_back();
    const State& state = grammar_->state(at.state);
    add_steps(8 + static_cast<int64_t>(state.edges.size()) * 4);
    bool takes = false;
    for (const Edge& edge : state.edges) {
      switch (edge.kind) {
        case Edge::Kind::empty:
          visit({edge.target, at.stack, at.memory});
          break;
        case Edge::Kind::call:
        case Edge::Kind::call_distinct:
          visit({grammar_->rule_start(edge.value),
                 push(edge.target, at, edge.kind == Edge::Kind::call_distinct), 0});
          break;
        case Edge::Kind::once: {
          const auto what = static_cast<uint64_t>(edge.value) + 1;
          if (!knows(at.memory, what)) visit({edge.target, at.stack, remember(at.memory, what)});
          break;
        }
        case Edge::Kind::bytes:
        case Edge::Kind::token:
          takes = true;
          break;
      }
    }
    if (takes) kept.push_back(at);
    if (state.ends_rule) {
      if (at.stack == 0) {
        ends = true;
      } else if (const Element behind = pop(at.stack); behind.state >= 0) {
        visit(behind);
      }
    }
  }
  if (kept.empty() && !ends) return kDead;
  std::sort(kept.begin(), kept.end());
  return intern(std::move(kept), ends);
}

ConfigurationId Machine::intern(std::vector<Element> kept, bool ends) {
  uint64_t hash = ends ? 1 : 2;
  for (const Element& element : kept) hash = mix(hash, element_hash(element));
  std::vector<ConfigurationId>& chain = known_[hash];
  for (const ConfigurationId id : chain) {
    const Configuration& known = slots_[id]->configuration;
    if (known.ends == ends && known.elements == kept) {
      slots_[id]->recent = true;
      return id;
    }
  }
  if (bytes_ > kMaxBytes) make_room();
  ConfigurationId id = -1;
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else {
    id = static_cast<ConfigurationId>(slots_.size());
    slots_.push_back(std::make_unique<Slot>());
  }
  Slot& slot = *slots_[id];
  bytes_ += kept.size() * sizeof(Element) + sizeof(Slot) +
            static_cast<size_t>(grammar_->byte_class_count()) * sizeof(Link);
  slot.configuration = {std::move(kept), ends};
  slot.hash = hash;
  slot.live = slot.recent = true;
  known_[hash].push_back(id);
  ++live_;
  return id;
}

/// Forgets the configurations that were not used since the hand came by, one after the other, until there is
/// room for another one.
void Machine::make_room() {
  for (size_t looked = 0; bytes_ > kMaxBytes && looked < 2 * slots_.size(); ++looked) {
    hand_ = hand_ + 1 < slots_.size() ? hand_ + 1 : 0;
    Slot& slot = *slots_[hand_];
    if (!slot.live || slot.pins > 0) continue;
    if (slot.recent) {
      slot.recent = false;
      continue;
    }
    std::vector<ConfigurationId>& chain = known_[slot.hash];
    std::erase(chain, static_cast<ConfigurationId>(hand_));
    if (chain.empty()) known_.erase(slot.hash);
    bytes_ -= slot.configuration.elements.size() * sizeof(Element) + sizeof(Slot) +
              static_cast<size_t>(grammar_->byte_class_count()) * sizeof(Link);
    slot.configuration = {};
    slot.next = {};
    slot.live = false;
    ++slot.serial;
    free_.push_back(static_cast<ConfigurationId>(hand_));
    --live_;
  }
}

ConfigurationId Machine::step(ConfigurationId from, uint8_t byte) {
  const uint8_t byte_class = grammar_->byte_class(byte);
  {
    Slot& slot = *slots_[from];
    slot.recent = true;
    if (slot.next.empty()) slot.next.assign(grammar_->byte_class_count(), {kUnknown, 0});
    const Link known = slot.next[byte_class];
    if (known.id == kDead) return kDead;
    if (known.id >= 0 && slots_[known.id]->serial == known.serial) return known.id;
  }
  std::vector<Element> open;
  const std::vector<Element>& elements = slots_[from]->configuration.elements;
  for (const Element& element : elements) {
    const std::vector<Edge>& edges = grammar_->state(element.state).edges;
    add_steps(4 + static_cast<int64_t>(edges.size()));
    for (const Edge& edge : edges) {
      if (edge.kind == Edge::Kind::bytes && byte >= edge.low && byte <= edge.high)
        open.push_back({edge.target, element.stack, element.memory});
    }
  }
  looked_at_text_ = false;
  ConfigurationId next = kDead;
  if (!open.empty()) {
    std::sort(open.begin(), open.end());
    open.erase(std::unique(open.begin(), open.end()), open.end());
    pin(from);
    try {
      next = close(std::move(open));
    } catch (...) {
      unpin(from);
      throw;
    }
    unpin(from);
  }
  if (!looked_at_text_) {
    Slot& slot = *slots_[from];
    slot.next[byte_class] = {next, next >= 0 ? slots_[next]->serial : 0};
  }
  return next;
}

ConfigurationId Machine::step_token(ConfigurationId from, int32_t token) {
  std::vector<Element> open;
  for (const Element& element : slots_[from]->configuration.elements) {
    for (const Edge& edge : grammar_->state(element.state).edges) {
      if (edge.kind == Edge::Kind::token && edge.value == token)
        open.push_back({edge.target, element.stack, element.memory});
    }
  }
  return open.empty() ? kDead : close(std::move(open));
}

}  // namespace r1::grammar
