// What an answer may look like, as a pushdown automaton over bytes: rules are small automata whose edges take
// a byte, take a special token, or call another rule.
//
// Made by a GrammarBuilder (schema_grammar.h, regex_grammar.h); obeyed by a Constraint.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/budget.h"

namespace r1::grammar {

using StateId = int32_t;
using RuleId = int32_t;

struct Edge {
  enum class Kind : uint8_t {
    empty,
    bytes,
    token,
    call,
    call_distinct,  // a call whose text, as a JSON value, differs from those of all such calls before it in the
                    // same use of the calling rule
    once,           // takes nothing; each `value` may be passed once in a use of the rule
  };
  Kind kind = Kind::empty;
  uint8_t low = 0, high = 0;  // bytes: the range, both included
  int32_t value = -1;         // token: its id; call: the rule
  StateId target = -1;        // call: where the caller continues behind the rule
};

struct State {
  std::vector<Edge> edges;
  bool ends_rule = false;
  bool remembers = false;  // its rule has edges that look at what was written before
};

class MaskCache;

/// Const after construction, but for a cache that has a lock; shared by all requests that use it.
class Grammar {
 public:
  /// Every state but the rules' starts must reach the end of its rule. Throws Error(unsupported) when a rule can
  /// call itself without taking a byte.
  Grammar(std::vector<State> states, std::vector<StateId> rule_starts, RuleId root, Budget& budget);
  ~Grammar();
  Grammar(const Grammar&) = delete;

  const State& state(StateId id) const { return states_[id]; }
  StateId rule_start(RuleId rule) const { return rule_starts_[rule]; }
  RuleId root() const { return root_; }
  int64_t size() const { return static_cast<int64_t>(states_.size()); }
  /// Whether any state remembers.
  bool remembers() const { return remembers_; }
  /// Bytes of the same class go the same ways everywhere.
  uint8_t byte_class(uint8_t byte) const { return byte_classes_[byte]; }
  int byte_class_count() const { return byte_class_count_; }
  MaskCache& cache() const { return *cache_; }

 private:
  void check_recursion(Budget& budget) const;
  void find_byte_classes();
  void mark_memory();

  std::vector<State> states_;
  std::vector<StateId> rule_starts_;
  RuleId root_;
  bool remembers_ = false;
  std::array<uint8_t, 256> byte_classes_{};
  int byte_class_count_ = 1;
  std::unique_ptr<MaskCache> cache_;
};

/// A piece of an automaton: entered at `start`, left at `end`.
struct Fragment {
  StateId start = -1, end = -1;
};

/// Makes a Grammar from pieces (Thompson's construction). A fragment may be used once; what is needed again
/// is a rule. Every function counts against the budget, which must live as long as the builder.
class GrammarBuilder {
 public:
  explicit GrammarBuilder(Budget& budget) : budget_(&budget) {}

  Budget& budget() const { return *budget_; }

  Fragment empty();
  Fragment bytes(uint8_t low, uint8_t high);
  Fragment literal(std::string_view text);
  Fragment token(int32_t id);
  Fragment call(RuleId rule);
  Fragment call_distinct(RuleId rule);
  Fragment once(int32_t value);
  Fragment sequence(const std::vector<Fragment>& parts);
  Fragment either(const std::vector<Fragment>& parts);
  Fragment optional(Fragment part);
  Fragment any_number(Fragment part);
  /// `low` to `high` times (high < 0: without limit); `make` gives a fresh fragment each time.
  template <class Make>
  Fragment repeat(int64_t low, int64_t high, Make make) {
    std::vector<Fragment> parts;
    for (int64_t i = 0; i < low; ++i) parts.push_back(make());
    if (high < 0) parts.push_back(any_number(make()));
    const Fragment all = sequence(parts);
    StateId last = all.end;
    const StateId end = high > low ? add_state() : last;
    for (int64_t i = low; i < high; ++i) {
      const Fragment part = make();
      link(last, part.start);
      link(last, end);
      last = part.end;
    }
    if (high > low) link(last, end);
    return {all.start, end};
  }
  /// A way to nothing: a fragment that no text fits.
  Fragment nothing() { return {add_state(), add_state()}; }

  StateId add_state();
  void add_edge(StateId from, const Edge& edge);
  void link(StateId from, StateId to) { add_edge(from, {Edge::Kind::empty, 0, 0, -1, to}); }

  /// A rule that may be called before it is defined.
  RuleId declare_rule();
  void define_rule(RuleId rule, Fragment body);
  RuleId add_rule(Fragment body);
  /// What messages call the rule.
  void name_rule(RuleId rule, std::string name) { rule_names_[rule] = std::move(name); }

  /// Leaves out what cannot be finished. Throws Error(unsupported), beginning with `name`, when nothing is left.
  /// The builder is empty afterwards.
  std::shared_ptr<const Grammar> finish(RuleId root, std::string_view name);

 private:
  std::vector<char> leave_out_dead_ends(RuleId root);
  RuleId contradiction(RuleId root, const std::vector<char>& can_end) const;

  Budget* budget_;
  std::vector<State> states_;
  std::vector<StateId> rule_starts_;
  std::map<RuleId, std::string> rule_names_;
};

}  // namespace r1::grammar
