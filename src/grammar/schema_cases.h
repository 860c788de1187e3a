// A schema for documents of one type, taken apart: its combinations (allOf, anyOf, oneOf, not, if, $ref, …)
// become a list of cases, in each of which only plain rules are left. A document is valid when it fits one case.
//
// What must not hold is pushed down: the opposite of a rule about one property is a rule about this property. An
// object's opposite, "one of these rules is broken", stays together as an obligation, since writing it out would
// double the cases with each.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "grammar/budget.h"
#include "grammar/schema_document.h"
#include "grammar/schema_keywords.h"
#include "grammar/string_rules.h"

namespace r1::grammar {

/// Something that a document must fit, or must not.
struct Literal {
  enum class Part : uint8_t {
    whole,
    rules,
    values
  };  // of the schema: all, the typed keywords, enum and const
  const Schema* schema = nullptr;
  bool negated = false;
  Part part = Part::whole;
  uint32_t owners = 0;  // schemas with unevaluated… that see what this one evaluates, a bit each
  int32_t chain = -1;   // what it was reached through
};

/// What must hold at one place: all of these.
using Conjunction = std::vector<Literal>;

/// One way to meet an obligation of an object.
struct Alternative {
  enum class Kind : uint8_t { absent, present, other };
  Kind kind = Kind::present;
  std::string name;                // absent, present: the property
  Conjunction value{};             // present, other: of its value
  const Schema* beside = nullptr;  // other: a property that this schema's properties and patterns do not have
  const std::string* pattern = nullptr;  // other: one whose name matches
};
using Obligation = std::vector<Alternative>;

struct Case {
  struct Rules {
    const Schema* schema;
    uint32_t owners;
    bool operator==(const Rules&) const = default;
  };
  std::vector<Rules> rules;           // typed keywords that hold; the first ones' order of properties counts
  std::vector<const Schema*> broken;  // strings, numbers: typed keywords of which one must be broken
  std::vector<const Schema*> excluded;                          // none of their values
  std::vector<const Schema*> values;                            // one of the values of each
  std::vector<Obligation> obligations;                          // objects
  std::vector<std::pair<const Schema*, uint32_t>> unevaluated;  // schemas with unevaluated…, and their bits
  bool has_type = false;          // some "type" or list of values lets this type through
  bool speaks_of_others = false;  // there are rules for other types
  bool integers_only = false;
};

class SchemaCases {
 public:
  SchemaCases(SchemaDocument& document, const Keywords& keywords, StringRules& strings, Budget& budget)
      : document_(&document), keywords_(&keywords), strings_(&strings), budget_(&budget) {}

  /// The cases of documents of this type; empty: there are none.
  std::vector<Case> expand(const Conjunction& conjunction, ValueType type);
  /// A schema that says what the literal says, and what it says; nullptr: it is not such a schema.
  const Schema& schema_of(const Literal& literal, const Schema& origin);
  const Literal* linked(const Schema& schema) const;
  /// Whether no document of the type fits both, as far as types, constants and required properties' constants
  /// show it.
  bool disjoint(const Schema& a, const Schema& b, ValueType type, int depth = 0);

 private:
  struct Work {
    std::vector<Literal> open;
    size_t next = 0;
    std::vector<std::vector<Conjunction>> branches;  // still to be chosen from
    std::set<std::tuple<const Schema*, bool, int>> seen;
    Case result;
  };
  void run(Work work, ValueType type, std::vector<Case>& out, int depth);
  bool add(const Literal& literal, Work& work, ValueType type);
  void add_combinations(const Literal& literal, Work& work, ValueType type);
  void add_dependencies(const Literal& literal, Work& work);
  void add_one_of(const Schema& list, const Literal& literal, Work& work, ValueType type);
  bool add_opposite(const Literal& literal, Work& work, ValueType type);
  void oppose_object(const Schema& schema, std::vector<Conjunction>& ways, bool& has_obligation);
  void oppose_array(const Schema& schema, std::vector<Conjunction>& ways);
  void add_obligation(const Schema& schema, Work& work);
  bool may_be(const Schema& schema, ValueType type, int depth) const;
  std::vector<const Schema*> joined(const Schema& schema) const;
  bool scalars_disjoint(const Schema& a, const Schema& b, ValueType type);
  Literal made(Schema schema, const Schema& origin);
  int32_t link(const Schema* schema, int32_t parent);

  SchemaDocument* document_;
  const Keywords* keywords_;
  StringRules* strings_;
  Budget* budget_;
  std::vector<std::pair<const Schema*, int32_t>> chains_;
  std::vector<Literal> linked_;  // what made schemas refer to
  uint32_t owners_ = 0;
  std::map<std::tuple<const Schema*, const Schema*, ValueType>, bool> disjoint_;
  std::map<const Schema*, std::optional<std::set<std::string>>> values_;
};

}  // namespace r1::grammar
