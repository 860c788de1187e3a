// Finite automata over bytes, and the set operations on their languages: what patterns, formats, lengths and
// number ranges are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/budget.h"

namespace r1::grammar {

using CharacterRanges = std::vector<std::pair<char32_t, char32_t>>;

/// State 0 is the start. No states that cannot reach an accepting one (but perhaps the start).
struct Automaton {
  struct Arc {
    uint8_t low, high;  // both included
    int32_t target;
  };
  std::vector<std::vector<Arc>> arcs;  // of each state; disjoint and ascending when deterministic
  std::vector<char> accepting;
  bool deterministic = true;

  int32_t size() const { return static_cast<int32_t>(arcs.size()); }
  /// Whether no text is accepted.
  bool empty() const;
  bool accepts(std::string_view text) const;
};

/// An automaton in the making, with steps that take nothing (Thompson's construction). Some of those hold at
/// the text's beginning or end only (^ and $).
class AutomatonBuilder {
 public:
  enum class Condition : uint8_t { none, at_begin, at_end };
  struct Piece {
    int32_t start = -1, end = -1;
  };

  explicit AutomatonBuilder(Budget& budget) : budget_(&budget) {}

  int32_t add_state();
  void add_arc(int32_t from, uint8_t low, uint8_t high, int32_t to);
  void link(int32_t from, int32_t to, Condition condition = Condition::none);

  Piece empty();
  Piece assertion(Condition condition);
  /// The UTF-8 forms of these characters; surrogates are left out.
  Piece characters(const CharacterRanges& ranges);
  Piece automaton(const Automaton& part);

  /// Made deterministic within `max_states`, else as it is (without the steps that take nothing).
  Automaton finish(const Piece& whole, int64_t max_states);

 private:
  struct State {
    std::vector<Automaton::Arc> arcs;
    std::vector<std::pair<int32_t, Condition>> links;
  };
  struct Closure;
  std::optional<Automaton> determinise(const Piece& whole, int64_t max_states);
  Automaton without_links(const Piece& whole);

  Budget* budget_;
  std::vector<State> states_;
};

/// The UTF-8 texts of `low` to `high` characters (high < 0: without limit).
Automaton text_of_length(int64_t low, int64_t high, Budget& budget);
inline Automaton any_text(Budget& budget) {
  return text_of_length(0, -1, budget);
}
/// One of `texts`, as a minimal automaton.
Automaton one_of(std::vector<std::string> texts, Budget& budget);

Automaton intersection(const Automaton& a, const Automaton& b, Budget& budget);
/// The texts of `low` to `high` characters (high < 0: without limit). Where that has too many states, those of
/// ASCII characters only.
Automaton of_length(const Automaton& automaton, int64_t low, int64_t high, Budget& budget);
/// What `a` accepts and `b` does not. Throws Error(unsupported) when b has too many states to be made
/// deterministic.
Automaton difference(const Automaton& a, const Automaton& b, Budget& budget);
Automaton united(const Automaton& a, const Automaton& b, Budget& budget);
/// Fewest states (A. Valmari, Fast brief practical DFA minimization, 2012). Only for deterministic ones; others
/// are returned as they are.
Automaton minimal(Automaton automaton, Budget& budget);

/// All texts, when they are at most `limit`.
std::optional<std::vector<std::string>> enumerate(const Automaton& automaton, size_t limit);

/// Calls `add(low bytes, high bytes)` for products of byte ranges that together are the UTF-8 forms of the
/// characters from `low` to `high`, which hold no surrogates.
struct Utf8Range {
  uint8_t low[4], high[4];
  int length;
};
std::vector<Utf8Range> utf8_ranges(char32_t low, char32_t high);

}  // namespace r1::grammar
