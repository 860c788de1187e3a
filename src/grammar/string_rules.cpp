#include "grammar/string_rules.h"

#include "base/error.h"
#include "grammar/formats.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {

const Automaton& StringRules::find(const std::string& key, const std::string& path,
                                   Automaton (*make)(const std::string&, Budget&)) {
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  try {
    return known_.emplace(key, make(key.substr(1), *budget_)).first->second;
  } catch (const Error& error) {
    throw_error(error.kind(), "{}: {}", path, error.what());
  }
}

const Automaton& StringRules::pattern(const std::string& expression, const std::string& path) {
  return find("p" + expression, path,
              [](const std::string& text, Budget& budget) { return regex_automaton(text, true, budget); });
}

const Automaton& StringRules::format(const std::string& name) {
  return find("f" + name, "format",
              [](const std::string& text, Budget& budget) { return format_automaton(text, budget); });
}

const Automaton& StringRules::wide_format(const std::string& name) {
  return find("w" + name, "format",
              [](const std::string& text, Budget& budget) { return wide_format_automaton(text, budget); });
}

bool StringRules::disjoint(const std::string& a, const std::string& b, const std::string& path) {
  const auto [place, is_new] = disjoint_.try_emplace({a, b}, false);
  if (is_new) place->second = intersection(pattern(a, path), pattern(b, path), *budget_).empty();
  return place->second;
}

}  // namespace r1::grammar
