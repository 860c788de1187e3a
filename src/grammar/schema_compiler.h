// Turns one schema into rules of a grammar. Every set of literals (schema_cases.h) that must hold at one place
// of a document becomes a rule; places that ask for the same set share it, which is also what makes recursive
// schemas finite.
//
// By subject: schema_compiler.cpp (rules and constants), schema_scalars.cpp (strings, numbers),
// schema_objects.cpp, schema_arrays.cpp.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "grammar/json_rules.h"
#include "grammar/schema_cases.h"
#include "grammar/schema_document.h"
#include "grammar/schema_keywords.h"
#include "grammar/schema_validator.h"
#include "grammar/string_rules.h"

namespace r1::grammar {

class SchemaCompiler {
 public:
  static constexpr RuleId kNothing = -1;  // instead of a rule: no document fits

  /// `name`: what messages call the schema, which must live as long as the compiler.
  SchemaCompiler(GrammarBuilder& builder, JsonRules& json, const Schema& root, const std::string& name);

  /// All rules of the schema, and a call of its own.
  Fragment compile();

 private:
  friend class ObjectRules;
  friend class ArrayRules;

  RuleId rule_of(const Conjunction& conjunction);
  Fragment make(const Conjunction& conjunction);
  /// The cases of a type; without those that only leave it open, where the schema speaks of other types.
  std::vector<std::pair<ValueType, Case>> cases_of(const Conjunction& conjunction);
  Fragment make_case(const Conjunction& conjunction, ValueType type, const Case& one);
  bool fits(const Schema& value, const Conjunction& conjunction);
  std::vector<std::string> constants(const Conjunction& conjunction, ValueType type, const Case& one);
  /// The JSON texts of all values, when they are known to be at most `limit`.
  std::optional<std::vector<std::string>> texts_of(const Conjunction& conjunction, size_t limit);

  /// The decoded strings of a case; nullopt: any of some length alone.
  std::optional<Automaton> string_automaton(const Case& one);
  /// Those of all strings that fit.
  Automaton strings_of(const Conjunction& conjunction);
  struct Lengths {
    int64_t low = 0, high = -1;
  };
  Lengths lengths_of(const Case& one) const;
  Automaton widest_strings(const Schema& schema);
  Fragment make_string(const Case& one);
  std::optional<Automaton> number_automaton(const Case& one);
  Fragment make_number(const Case& one);
  Fragment make_object(const Case& one);
  Fragment make_array(const Conjunction& conjunction, const Case& one);

  GrammarBuilder& builder_;
  Budget& budget_;
  JsonRules& json_;
  SchemaDocument document_;
  Keywords keywords_;
  StringRules strings_;
  SchemaCases cases_;
  SchemaValidator validator_;
  using Key = std::vector<std::tuple<const Schema*, bool>>;
  std::map<Key, RuleId> rules_;
  std::deque<std::pair<RuleId, Conjunction>> open_;         // declared and not defined yet
  std::map<std::string, RuleId> scalar_rules_;              // of strings and numbers, by their rules
  std::map<std::pair<std::string, RuleId>, RuleId> pairs_;  // "name": value
};

}  // namespace r1::grammar
