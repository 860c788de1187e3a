// Runs a grammar over bytes: sets of (state, stack, memory) with every step remembered, so that walking the
// same ways again costs a table look-up. What is remembered is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"

namespace r1::grammar {

using ConfigurationId = int32_t;

/// One thread at a time.
class Machine {
 public:
  static constexpr ConfigurationId kDead = -1;

  /// `text`: the bytes taken so far, kept by the caller: a byte is appended before step() and taken away with
  /// the way back. Needed by grammars that remember; nullptr for others.
  explicit Machine(const Grammar& grammar, const std::string* text = nullptr)
      : grammar_(&grammar), text_(text) {}

  /// A place in the grammar. Stack 0 is the bottom, below which nothing is known; memory 0 is empty.
  struct Element {
    StateId state;
    int32_t stack;
    int32_t memory = 0;  // of the use of the state's rule
    bool operator==(const Element&) const = default;
    bool operator<(const Element& other) const {
      return std::tie(state, stack, memory) < std::tie(other.state, other.stack, other.memory);
    }
  };
  struct Configuration {
    std::vector<Element> elements;  // ascending; states with edges that take a byte or a token
    bool ends = false;              // the rule that the bottom belongs to may end here
  };

  /// A configuration may be forgotten whenever another one is made, unless it is pinned (pins are counted).
  ConfigurationId start(StateId state) { return enter({{state, 0, 0}}); }
  /// Where the walk is after entering these, whose stacks are this machine's.
  ConfigurationId enter(std::vector<Element> elements);
  ConfigurationId step(ConfigurationId from, uint8_t byte);
  ConfigurationId step_token(ConfigurationId from, int32_t token);
  const Configuration& at(ConfigurationId id) const { return slots_[id]->configuration; }
  void pin(ConfigurationId id) {
    if (id >= 0) ++slots_[id]->pins;
  }
  void unpin(ConfigurationId id) {
    if (id >= 0) --slots_[id]->pins;
  }

  /// The element behind the rule on top of the stack, which is not the bottom. Throws nothing; the result's
  /// state is -1 when the rule's text may not come again here.
  Element pop(int32_t stack);
  /// Whether a rule of this stack must differ from what came before it.
  bool has_distinct(int32_t stack) const { return stacks_[stack].any_distinct; }
  size_t configurations() const { return live_; }

  /// Throws Error(invalid_argument) when more than `steps` steps are made until the next call.
  void limit_steps(int64_t steps) { steps_left_ = steps; }
  int64_t steps_left() const { return steps_left_; }
  void add_steps(int64_t count) {
    steps_left_ -= count;
    if (steps_left_ < 0) too_many_steps();
  }

 private:
  struct Stack {
    StateId return_state;
    int32_t below;
    int32_t memory;     // of the caller
    int64_t begin;      // of a call_distinct's text; -1: another call
    bool any_distinct;  // here or below
  };
  struct Link {
    ConfigurationId id;
    uint32_t serial;
  };
  struct Slot {
    Configuration configuration;
    std::vector<Link> next;  // by byte class
    uint64_t hash = 0;
    uint32_t serial = 0;
    int32_t pins = 0;
    bool live = false, recent = false;
  };

  ConfigurationId close(std::vector<Element> open);
  ConfigurationId intern(std::vector<Element> kept, bool ends);
  int32_t push(StateId return_state, const Element& caller, bool distinct);
  int32_t remember(int32_t memory, uint64_t what);
  bool knows(int32_t memory, uint64_t what) const;
  uint64_t hash_of_text(int64_t begin);
  void make_room();
  [[noreturn]] void too_many_steps() const;

  const Grammar* grammar_;
  const std::string* text_;
  int64_t steps_left_ = INT64_MAX;
  bool looked_at_text_ = false;  // the last close() depended on it

  std::vector<Stack> stacks_ = {{-1, -1, 0, -1, false}};
  std::unordered_map<uint64_t, std::vector<int32_t>> known_stacks_;
  std::vector<std::pair<int32_t, uint64_t>> memories_ = {{-1, 0}};  // what came before, and one more
  std::unordered_map<uint64_t, std::vector<int32_t>> known_memories_;

  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<ConfigurationId> free_;
  std::unordered_map<uint64_t, std::vector<ConfigurationId>> known_;
  size_t live_ = 0, bytes_ = 0, hand_ = 0;
};

/// The configurations on the way from a place down a tree, pinned.
class MachinePath {
 public:
  MachinePath(Machine& machine, ConfigurationId begin) : machine_(&machine) { push(begin); }
  ~MachinePath() { cut(0); }
  MachinePath(const MachinePath&) = delete;

  ConfigurationId operator[](size_t depth) const { return path_[depth]; }
  /// What is at `depth` and behind it is replaced by `id`.
  void set(size_t depth, ConfigurationId id) {
    machine_->pin(id);
    cut(depth);
    path_.push_back(id);
  }

 private:
  void push(ConfigurationId id) {
    machine_->pin(id);
    path_.push_back(id);
  }
  void cut(size_t size) {
    while (path_.size() > size) {
      machine_->unpin(path_.back());
      path_.pop_back();
    }
  }
  Machine* machine_;
  std::vector<ConfigurationId> path_;
};

}  // namespace r1::grammar
