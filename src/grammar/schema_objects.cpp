// Objects: declared properties in order, then others; with counts and obligations as parts of the state.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_compiler.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxObligations = 12;
constexpr size_t kMaxPatterns = 100;
constexpr size_t kMaxNamesOfPattern = 64;  // a pattern of so few names is written as properties

}  // namespace

class ObjectRules {
 public:
  ObjectRules(SchemaCompiler& compiler, const Case& one)
      : compiler_(compiler),
        builder_(compiler.builder_),
        budget_(compiler.budget_),
        keywords_(compiler.keywords_),
        case_(one) {}

  Fragment make();

 private:
  /// A property of a known name, at its place in the order.
  struct Slot {
    std::string name;
    Conjunction value{};
    bool required = false, forbidden = false;
    bool undeclared = false;                            // written for an obligation only
    uint32_t absent = 0;                                // obligations that are met without it
    std::vector<std::pair<uint32_t, Conjunction>> met;  // by its value
  };
  /// Properties of other names.
  struct Others {
    Automaton keys;
    bool any_key = false;
    std::set<std::string> patterns;
    Conjunction value{};
    bool undeclared = false;
    std::vector<std::pair<uint32_t, Conjunction>> met;
    RuleId key_rule = -1;
  };
  struct Node {
    size_t slot;
    int64_t count;
    uint32_t met;
    bool behind_comma;
    // The check takes the comparison with 0 inside for a null pointer.
    auto operator<=>(const Node&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  void read_rules();
  size_t slot_of(const std::string& name);
  bool matches(const std::string& pattern, const std::string& name);
  Conjunction value_rules(const std::string* name, const std::set<std::string>& patterns, bool& undeclared);
  bool name_allowed(const std::string& name);
  void find_others();
  void split(std::vector<Others>& classes, const std::string& pattern);
  bool place_obligations();
  void place(const Alternative& way, uint32_t bit, bool& possible, bool& met);
  bool contradicts(const Conjunction& rules, const Conjunction& more);
  bool follows(const Conjunction& rules, const Conjunction& more);

  StateId node(const Node& key);
  void expand(const Node& key, StateId at);
  template <class Write>
  void choose(const std::vector<std::pair<uint32_t, Conjunction>>& met, const Conjunction& value,
              uint32_t before, bool undeclared, const Write& write);
  StateId after(size_t slot, int64_t count, uint32_t met);
  bool may_end(size_t slot, int64_t count, uint32_t met) const;
  Fragment pair(const std::string& name, RuleId value);

  SchemaCompiler& compiler_;
  GrammarBuilder& builder_;
  Budget& budget_;
  const Keywords& keywords_;
  const Case& case_;

  std::vector<Slot> slots_;
  std::map<std::string, size_t> places_;
  std::vector<Others> others_;
  std::set<std::string> patterns_;
  std::vector<const Schema*> names_;  // "propertyNames"
  bool has_pattern_classes_ = false;
  bool closed_ = false;  // nothing says what undeclared properties are: none are written
  int64_t low_ = 0, high_ = -1, cap_ = 1;
  uint32_t all_ = 0;  // obligations
  std::map<Node, StateId> nodes_;
  std::map<std::tuple<size_t, int64_t, uint32_t>, StateId> afters_;
  std::vector<std::pair<Node, StateId>> open_;
  StateId end_ = -1, close_ = -1;
};

Fragment SchemaCompiler::make_object(const Case& one) {
  return ObjectRules(*this, one).make();
}

size_t ObjectRules::slot_of(const std::string& name) {
  const auto [place, is_new] = places_.try_emplace(name, slots_.size());
  if (is_new) {
    budget_.add_bytes(static_cast<int64_t>(name.size()) + 200);
    slots_.push_back({});
    slots_.back().name = name;
  }
  return place->second;
}

bool ObjectRules::matches(const std::string& pattern, const std::string& name) {
  budget_.add_steps(static_cast<int64_t>(name.size()) * 4 + 10);
  const Schema& where = case_.rules.empty() ? compiler_.document_.root() : *case_.rules.front().schema;
  return compiler_.strings_.pattern(pattern, compiler_.document_.path(where) + ".patternProperties")
      .accepts(name);
}

void ObjectRules::read_rules() {
  bool declares = false, speaks_of_rest = false;
  for (const Case::Rules& rules : case_.rules) {
    const Schema& schema = *rules.schema;
    if (const Schema* properties = keywords_.object(schema, "properties")) {
      declares = true;
      for (const auto& [name, value] : properties->items()) slot_of(name);
    }
    if (const Schema* patterns = keywords_.object(schema, "patternProperties")) {
      declares = true;
      for (const auto& [pattern, value] : patterns->items()) patterns_.insert(pattern);
    }
    if (const auto found = schema.find("propertyNames"); found != schema.end()) names_.push_back(&*found);
    speaks_of_rest = speaks_of_rest || schema.contains("additionalProperties");
    if (const auto low = keywords_.count(schema, "minProperties")) low_ = std::max(low_, *low);
    if (const auto high = keywords_.count(schema, "maxProperties"))
      high_ = high_ < 0 ? *high : std::min(high_, *high);
  }
  for (const Case::Rules& rules : case_.rules) {
    for (const std::string& name : keywords_.names(*rules.schema, "required"))
      slots_[slot_of(name)].required = true;
  }
  for (const auto& [schema, bit] : case_.unevaluated)
    speaks_of_rest = speaks_of_rest || schema->contains("unevaluatedProperties");
  const auto declared = static_cast<int64_t>(slots_.size());
  closed_ = declares && !speaks_of_rest && patterns_.empty() && low_ <= declared;
  if (!patterns_.empty() && declares && !speaks_of_rest) closed_ = true;
  for (const Obligation& obligation : case_.obligations) {
    for (const Alternative& way : obligation) {
      if (way.kind != Alternative::Kind::other) slot_of(way.name);
      if (way.pattern != nullptr) patterns_.insert(*way.pattern);
      if (way.beside == nullptr) continue;
      if (const Schema* properties = keywords_.object(*way.beside, "properties")) {
        for (const auto& [name, value] : properties->items()) slot_of(name);
      }
      if (const Schema* patterns = keywords_.object(*way.beside, "patternProperties")) {
        for (const auto& [pattern, value] : patterns->items()) patterns_.insert(pattern);
      }
    }
  }
  if (patterns_.size() > kMaxPatterns)
    throw_error(ErrorKind::invalid_argument, "{}: too complex: more than {} patterns of names at one place",
                compiler_.document_.path(*case_.rules.front().schema), kMaxPatterns);
}

/// What the value of a property must fit: the name is known, or only the patterns that it matches.
Conjunction ObjectRules::value_rules(const std::string* name, const std::set<std::string>& patterns,
                                     bool& undeclared) {
  Conjunction value;
  bool is_declared = false;
  const auto declared_by = [&](const Schema& schema, Conjunction* add) {
    bool found = false;
    if (name != nullptr) {
      if (const Schema* properties = keywords_.object(schema, "properties")) {
        if (const auto place = properties->find(*name); place != properties->end()) {
          found = true;
          if (add != nullptr) add->push_back({&*place});
        }
      }
    }
    if (const Schema* of_patterns = keywords_.object(schema, "patternProperties")) {
      for (auto item = of_patterns->begin(); item != of_patterns->end(); ++item) {
        if (name != nullptr ? !matches(item.key(), *name) : !patterns.contains(item.key())) continue;
        found = true;
        if (add != nullptr) add->push_back({&item.value()});
      }
    }
    return found;
  };
  for (const Case::Rules& rules : case_.rules) {
    budget_.add_steps(10);
    if (declared_by(*rules.schema, &value)) {
      is_declared = true;
    } else if (const auto rest = rules.schema->find("additionalProperties"); rest != rules.schema->end()) {
      value.push_back({&*rest});
    }
  }
  for (const auto& [schema, bit] : case_.unevaluated) {
    const auto rest = schema->find("unevaluatedProperties");
    if (rest == schema->end()) continue;
    const bool evaluated =
        std::ranges::any_of(case_.rules, [&, owner = schema, mask = bit](const auto& rules) {
          return (rules.owners & mask) != 0 &&
                 (declared_by(*rules.schema, nullptr) || rules.schema->contains("additionalProperties") ||
                  (rules.schema != owner && rules.schema->contains("unevaluatedProperties")));
        });
    if (!evaluated) value.push_back({&*rest});
  }
  undeclared = !is_declared;
  return value;
}

bool ObjectRules::name_allowed(const std::string& name) {
  return std::ranges::all_of(
      names_, [&](const Schema* schema) { return compiler_.validator_.valid(Schema(name), *schema); });
}

void ObjectRules::split(std::vector<Others>& classes, const std::string& pattern) {
  const Schema& where = case_.rules.empty() ? compiler_.document_.root() : *case_.rules.front().schema;
  const Automaton& matching =
      compiler_.strings_.pattern(pattern, compiler_.document_.path(where) + ".patternProperties");
  std::vector<Others> next;
  for (Others& one : classes) {
    Others with = one;
    with.keys = intersection(one.keys, matching, budget_);
    with.patterns.insert(pattern);
    with.any_key = false;
    Others without = one;
    without.keys = difference(one.keys, matching, budget_);
    without.any_key = false;
    if (!with.keys.empty()) next.push_back(std::move(with));
    if (!without.keys.empty()) next.push_back(std::move(without));
  }
  classes = std::move(next);
}

/// The classes of other names, by the patterns that they match. Classes of few names become properties.
void ObjectRules::find_others() {
  Others rest;
  rest.any_key = true;
  rest.keys = any_text(budget_);
  for (const Schema* schema : names_) {
    rest.keys = intersection(rest.keys, compiler_.strings_of({{schema}}), budget_);
    rest.any_key = false;
  }
  if (!slots_.empty()) {
    std::vector<std::string> names;
    for (const Slot& slot : slots_) names.push_back(slot.name);
    rest.keys = difference(rest.keys, one_of(std::move(names), budget_), budget_);
    rest.any_key = false;
  }
  std::vector<Others> classes = {std::move(rest)};
  if (classes[0].keys.empty()) return;
  // Where undeclared properties are not written at all, nothing needs to be known of them.
  for (const std::string& pattern : patterns_) split(classes, pattern);
  for (Others& one : classes) {
    one.value = value_rules(nullptr, one.patterns, one.undeclared);
    if (compiler_.rule_of(one.value) == SchemaCompiler::kNothing) continue;
    const bool finite_names = !one.any_key && (!names_.empty() || !one.patterns.empty());
    if (const auto names = finite_names ? enumerate(one.keys, kMaxNamesOfPattern) : std::nullopt) {
      for (const std::string& name : *names) slot_of(name);
      continue;
    }
    others_.push_back(std::move(one));
  }
}

/// Whether both cannot hold: one asks for what the other forbids.
bool ObjectRules::contradicts(const Conjunction& rules, const Conjunction& more) {
  for (const Literal& a : rules) {
    for (const Literal& b : more) {
      budget_.add_steps(20);
      if (a.negated != b.negated && *a.schema == *b.schema) return true;
    }
  }
  return false;
}

/// Whether `more` holds wherever `rules` do.
bool ObjectRules::follows(const Conjunction& rules, const Conjunction& more) {
  return std::ranges::all_of(more, [&](const Literal& b) {
    if (!b.negated) return b.schema->is_boolean() && b.schema->get<bool>();
    return std::ranges::any_of(rules, [&](const Literal& a) {
      return !a.negated && std::ranges::all_of(kValueTypes, [&](ValueType type) {
        return compiler_.cases_.disjoint(*a.schema, *b.schema, type);
      });
    });
  });
}

void ObjectRules::place(const Alternative& way, uint32_t bit, bool& possible, bool& met) {
  const auto by_value = [&](Slot& slot) {
    if (slot.forbidden || contradicts(slot.value, way.value)) return;
    possible = true;
    if (slot.required && follows(slot.value, way.value)) met = true;
    slot.met.push_back({bit, way.value});
  };
  if (way.kind == Alternative::Kind::absent) {
    Slot& slot = slots_[slot_of(way.name)];
    if (slot.forbidden) met = true;
    if (slot.required) return;
    possible = true;
    slot.absent |= bit;
    return;
  }
  if (way.kind == Alternative::Kind::present) {
    by_value(slots_[slot_of(way.name)]);
    return;
  }
  const Schema* properties = way.beside == nullptr ? nullptr : keywords_.object(*way.beside, "properties");
  const Schema* patterns =
      way.beside == nullptr ? nullptr : keywords_.object(*way.beside, "patternProperties");
  for (Slot& slot : slots_) {
    if (way.pattern != nullptr && !matches(*way.pattern, slot.name)) continue;
    if (properties != nullptr && properties->contains(slot.name)) continue;
    bool matched = false;
    if (patterns != nullptr) {
      for (const auto& [pattern, value] : patterns->items()) matched = matched || matches(pattern, slot.name);
    }
    if (!matched) by_value(slot);
  }
  for (Others& one : others_) {
    if (way.pattern != nullptr && !one.patterns.contains(*way.pattern)) continue;
    bool matched = false;
    if (patterns != nullptr) {
      for (const auto& [pattern, value] : patterns->items())
        matched = matched || one.patterns.contains(pattern);
    }
    if (matched || contradicts(one.value, way.value)) continue;
    possible = true;
    one.met.push_back({bit, way.value});
  }
}

bool ObjectRules::place_obligations() {
  uint32_t next = 1;
  for (const Obligation& obligation : case_.obligations) {
    if (next == uint32_t{1} << kMaxObligations)
      throw_error(
          ErrorKind::invalid_argument,
          "{}: too complex: more than {} branches of \"oneOf\", \"not\" or \"dependencies\" at one object",
          compiler_.document_.path(case_.rules.empty() ? compiler_.document_.root()
                                                       : *case_.rules.front().schema),
          kMaxObligations);
    bool possible = false, met = false;
    for (const Alternative& way : obligation) place(way, next, possible, met);
    if (met) {
      for (Slot& slot : slots_) {
        slot.absent &= ~next;
        std::erase_if(slot.met, [&](const auto& one) { return one.first == next; });
      }
      for (Others& one : others_)
        std::erase_if(one.met, [&](const auto& other) { return other.first == next; });
      continue;
    }
    if (!possible) return false;
    all_ |= next;
    next <<= 1;
  }
  return true;
}

Fragment ObjectRules::make() {
  read_rules();
  find_others();
  bool has_obligations_for_others = false;
  for (Slot& slot : slots_) {
    bool undeclared = false;
    slot.value = value_rules(&slot.name, {}, undeclared);
    slot.undeclared = undeclared && closed_ && !slot.required;
    slot.forbidden = compiler_.rule_of(slot.value) == SchemaCompiler::kNothing || !name_allowed(slot.name);
    if (slot.forbidden && slot.required) return builder_.nothing();
  }
  if (!place_obligations()) return builder_.nothing();
  for (const Others& one : others_)
    has_obligations_for_others = has_obligations_for_others || !one.met.empty();
  if (closed_ && !has_obligations_for_others)
    std::erase_if(others_, [](const Others& one) { return one.undeclared; });

  int64_t required = 0, writable = 0;
  for (const Slot& slot : slots_) {
    required += slot.required ? 1 : 0;
    writable += slot.forbidden ? 0 : 1;
  }
  if (others_.empty() && high_ >= writable) high_ = -1;
  if (low_ <= required) low_ = 0;
  cap_ = std::max<int64_t>({1, low_, high_});

  end_ = builder_.add_state();
  close_ = builder_.add_state();
  builder_.add_edge(close_, {Edge::Kind::bytes, '}', '}', -1, end_});
  const Fragment begin = builder_.sequence({builder_.literal("{"), compiler_.json_.space()});
  builder_.link(begin.end, node({0, 0, 0, false}));
  while (!open_.empty()) {
    const auto [key, state] = open_.back();
    open_.pop_back();
    expand(key, state);
  }
  return {begin.start, end_};
}

StateId ObjectRules::node(const Node& key) {
  const auto [place, is_new] = nodes_.try_emplace(key, -1);
  if (is_new) {
    place->second = builder_.add_state();
    budget_.add_bytes(100);
    open_.push_back({key, place->second});
  }
  return place->second;
}

Fragment ObjectRules::pair(const std::string& name, RuleId value) {
  RuleId& known = compiler_.pairs_.try_emplace({name, value}, -1).first->second;
  if (known < 0) {
    known = builder_.add_rule(builder_.sequence(
        {builder_.literal(Schema(name).dump(-1, ' ', false, Schema::error_handler_t::replace) + ":"),
         compiler_.json_.space(), builder_.call(value)}));
  }
  return builder_.call(known);
}

/// Calls `write(rule of the value, obligations met by then)` for each choice of obligations that the value meets.
template <class Write>
void ObjectRules::choose(const std::vector<std::pair<uint32_t, Conjunction>>& met, const Conjunction& value,
                         uint32_t before, bool undeclared, const Write& write) {
  uint32_t always = 0;
  std::vector<const std::pair<uint32_t, Conjunction>*> pending;
  for (const auto& one : met) {
    if ((before & one.first) != 0) continue;
    const bool free = std::ranges::all_of(one.second, [](const Literal& literal) {
      return literal.schema->is_boolean() && literal.schema->get<bool>() != literal.negated;
    });
    if (free) {
      always |= one.first;
    } else {
      pending.push_back(&one);
    }
  }
  for (uint32_t choice = 0; choice < uint32_t{1} << pending.size(); ++choice) {
    budget_.add_steps(50);
    Conjunction rules = value;
    uint32_t now = before | always;
    for (size_t i = 0; i < pending.size(); ++i) {
      if ((choice >> i & 1) == 0) continue;
      now |= pending[i]->first;
      rules.insert(rules.end(), pending[i]->second.begin(), pending[i]->second.end());
    }
    if (undeclared && now == before) continue;
    const RuleId rule = compiler_.rule_of(rules);
    if (rule != SchemaCompiler::kNothing) write(rule, now);
  }
}

void ObjectRules::expand(const Node& key, StateId at) {
  const bool full = high_ >= 0 && key.count >= high_;
  if (!key.behind_comma && key.count == 0 && may_end(key.slot, 0, key.met)) builder_.link(at, close_);
  if (key.slot < slots_.size()) {
    const Slot& slot = slots_[key.slot];
    if (!slot.required)
      builder_.link(at, node({key.slot + 1, key.count, key.met | slot.absent, key.behind_comma}));
    if (slot.forbidden || full) return;
    choose(slot.met, slot.value, key.met, slot.undeclared, [&](RuleId value, uint32_t now) {
      const Fragment written = pair(slot.name, value);
      builder_.link(at, written.start);
      builder_.link(written.end, after(key.slot + 1, std::min(key.count + 1, cap_), now));
    });
    return;
  }
  if (full) return;
  for (Others& one : others_) {
    choose(one.met, one.value, key.met, one.undeclared && closed_, [&](RuleId value, uint32_t now) {
      if (one.key_rule < 0) {
        one.key_rule =
            one.any_key
                ? compiler_.json_.string_rule()
                : builder_.add_rule(builder_.sequence(
                      {builder_.literal("\""), add_json_text(builder_, one.keys), builder_.literal("\"")}));
      }
      const Fragment written = builder_.sequence({builder_.call_distinct(one.key_rule), builder_.literal(":"),
                                                  compiler_.json_.space(), builder_.call(value)});
      builder_.link(at, written.start);
      builder_.link(written.end, after(key.slot, std::min(key.count + 1, cap_), now));
    });
  }
}

bool ObjectRules::may_end(size_t slot, int64_t count, uint32_t met) const {
  for (; slot < slots_.size(); ++slot) {
    if (slots_[slot].required) return false;
    met |= slots_[slot].absent;
  }
  return met == all_ && count >= low_;
}

/// Behind a property: the end, or a comma and another one.
StateId ObjectRules::after(size_t slot, int64_t count, uint32_t met) {
  const auto [place, is_new] = afters_.try_emplace({slot, count, met}, -1);
  if (!is_new) return place->second;
  const StateId state = place->second = builder_.add_state();
  budget_.add_steps(static_cast<int64_t>(slots_.size() - slot) + 1);
  if (may_end(slot, count, met)) {
    const Fragment space = compiler_.json_.space();
    builder_.link(state, space.start);
    builder_.link(space.end, close_);
  }
  if (slot < slots_.size() || !others_.empty()) {
    const Fragment comma = builder_.sequence({builder_.literal(","), compiler_.json_.space()});
    builder_.link(state, comma.start);
    builder_.link(comma.end, node({slot, count, met, true}));
  }
  return state;
}

}  // namespace r1::grammar
