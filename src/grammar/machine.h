// Runs a grammar over bytes: sets of (state, stack) with every step remembered, so that walking the same ways
// again costs a table look-up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "grammar/grammar.h"

namespace r1::grammar {

using ConfigurationId = int32_t;

/// One thread at a time.
class Machine {
 public:
  static constexpr ConfigurationId kDead = -1;

  explicit Machine(const Grammar& grammar) : grammar_(&grammar) {}

  /// A place in the grammar; stack 0 is the bottom, below which nothing is known.
  struct Element {
    StateId state;
    int32_t stack;
    bool operator==(const Element&) const = default;
    bool operator<(const Element& other) const {
      return std::tie(state, stack) < std::tie(other.state, other.stack);
    }
  };
  struct Configuration {
    std::vector<Element> elements;  // ascending; states with edges that take a byte or a token
    bool ends = false;              // the rule that the bottom belongs to may end here
    std::unique_ptr<std::array<ConfigurationId, 256>> next;
  };

  /// Where the walk stands after entering `state` above the bottom.
  ConfigurationId start(StateId state) { return close({{state, 0}}, false); }
  /// Where it stands after entering `element`, whose stack is one of this machine's.
  ConfigurationId enter(const Element& element) { return close({element}, false); }
  ConfigurationId step(ConfigurationId from, uint8_t byte);
  ConfigurationId step_token(ConfigurationId from, int32_t token);
  const Configuration& at(ConfigurationId id) const { return *configurations_[id]; }

  /// Where to go on when the rule on top of a stack other than the bottom has ended.
  Element pop(int32_t stack) const { return {stacks_[stack].return_state, stacks_[stack].below}; }
  size_t configurations() const { return configurations_.size(); }

 private:
  ConfigurationId close(std::vector<Element> open, bool ends);
  int32_t push(StateId return_state, int32_t below);

  struct Stack {
    StateId return_state;
    int32_t below;
  };
  const Grammar* grammar_;
  std::vector<Stack> stacks_ = {{-1, -1}};
  std::map<std::pair<StateId, int32_t>, int32_t> known_stacks_;
  std::vector<std::unique_ptr<Configuration>> configurations_;
  std::map<std::pair<std::vector<Element>, bool>, ConfigurationId> known_configurations_;
};

}  // namespace r1::grammar
