// Patterns and formats of strings as automata, each made once.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "grammar/automaton.h"

namespace r1::grammar {

class StringRules {
 public:
  explicit StringRules(Budget& budget) : budget_(&budget) {}

  /// Messages of Errors begin with `path`.
  const Automaton& pattern(const std::string& expression, const std::string& path);
  const Automaton& format(const std::string& name);
  const Automaton& wide_format(const std::string& name);
  /// Whether no text matches both patterns.
  bool disjoint(const std::string& a, const std::string& b, const std::string& path);

 private:
  const Automaton& find(const std::string& key, const std::string& path,
                        Automaton (*make)(const std::string&, Budget&));

  Budget* budget_;
  std::map<std::string, Automaton> known_;
  std::map<std::pair<std::string, std::string>, bool> disjoint_;
};

}  // namespace r1::grammar
