// What an answer may look like, as a pushdown automaton over bytes: rules are small automata whose edges take
// a byte, take a special token, or call another rule.
//
// Made by a GrammarBuilder (schema_grammar.h, regex_grammar.h, tool_grammar.h); obeyed by a Constraint.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace r1::grammar {

using StateId = int32_t;
using RuleId = int32_t;

struct Edge {
  enum class Kind : uint8_t { empty, bytes, token, call };
  Kind kind = Kind::empty;
  uint8_t low = 0, high = 0;  // bytes: the range, both included
  int32_t value = -1;         // token: its id; call: the rule
  StateId target = -1;        // call: where to go on after the rule
};

struct State {
  std::vector<Edge> edges;
  bool ends_rule = false;
};

class MaskCache;

/// Const after construction, but for a cache that has a lock; shared by all requests that use it.
class Grammar {
 public:
  /// Throws Error(unsupported) when a rule can call itself without taking a byte.
  Grammar(std::vector<State> states, std::vector<StateId> rule_starts, RuleId root);
  ~Grammar();
  Grammar(const Grammar&) = delete;

  const State& state(StateId id) const { return states_[id]; }
  StateId rule_start(RuleId rule) const { return rule_starts_[rule]; }
  RuleId root() const { return root_; }
  int64_t size() const { return static_cast<int64_t>(states_.size()); }
  MaskCache& cache() const { return *cache_; }

 private:
  void check_recursion() const;

  std::vector<State> states_;
  std::vector<StateId> rule_starts_;
  RuleId root_;
  std::unique_ptr<MaskCache> cache_;
};

/// A piece of an automaton: entered at `start`, left at `end`.
struct Fragment {
  StateId start = -1, end = -1;
};

/// Makes a Grammar from pieces (Thompson's construction). A fragment may be used once; what is needed again
/// is a rule. Throws Error(invalid_argument) when the grammar becomes too large.
class GrammarBuilder {
 public:
  static constexpr int64_t kMaxStates = 300'000;

  Fragment empty();
  Fragment bytes(uint8_t low, uint8_t high);
  Fragment literal(std::string_view text);
  Fragment token(int32_t id);
  Fragment call(RuleId rule);
  Fragment sequence(std::vector<Fragment> parts);
  Fragment either(const std::vector<Fragment>& parts);
  Fragment optional(Fragment part);
  Fragment any_number(Fragment part);
  /// `low` to `high` times (high < 0: without limit); `make` gives a fresh fragment each time.
  template <class Make>
  Fragment repeat(int64_t low, int64_t high, Make make) {
    std::vector<Fragment> parts;
    for (int64_t i = 0; i < low; ++i) parts.push_back(make());
    if (high < 0) parts.push_back(any_number(make()));
    const Fragment all = sequence(std::move(parts));
    StateId last = all.end;
    const StateId end = high > low ? add_state() : last;
    for (int64_t i = low; i < high; ++i) {
      const Fragment part = make();
      add_edge(last, {Edge::Kind::empty, 0, 0, -1, part.start});
      add_edge(last, {Edge::Kind::empty, 0, 0, -1, end});
      last = part.end;
    }
    if (high > low) add_edge(last, {Edge::Kind::empty, 0, 0, -1, end});
    return {all.start, end};
  }
  /// The UTF-8 forms of the characters from `low` to `high` (surrogates are left out).
  Fragment characters(const std::vector<std::pair<char32_t, char32_t>>& ranges);

  StateId add_state();
  void add_edge(StateId from, const Edge& edge);
  void link(StateId from, StateId to) { add_edge(from, {Edge::Kind::empty, 0, 0, -1, to}); }

  /// A rule that may be called before it is defined.
  RuleId declare_rule();
  void define_rule(RuleId rule, Fragment body);
  RuleId add_rule(Fragment body);

  /// The builder is empty afterwards.
  std::shared_ptr<const Grammar> finish(RuleId root);

 private:
  void add_utf8_range(StateId from, StateId to, char32_t low, char32_t high);

  std::vector<State> states_;
  std::vector<StateId> rule_starts_;
};

}  // namespace r1::grammar
