#include "grammar/schema_cases.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/canonical.h"

namespace r1::grammar {
namespace {

constexpr size_t kMaxCases = 2'000;
constexpr int kMaxDepth = 500;

constexpr const char* kLink = "$literal";  // in made schemas: the number of a literal

}  // namespace

std::vector<Case> SchemaCases::expand(const Conjunction& conjunction, ValueType type) {
  chains_.clear();
  owners_ = 0;
  Work work;
  work.open = conjunction;
  for (Literal& literal : work.open) literal.owners = 0, literal.chain = -1;
  std::vector<Case> cases;
  run(std::move(work), type, cases, 0);
  return cases;
}

void SchemaCases::run(Work work, ValueType type, std::vector<Case>& out, int depth) {
  if (depth > kMaxDepth)
    throw_error(ErrorKind::invalid_argument, "{}: too many choices inside of each other",
                document_->path(document_->root()));
  for (; work.next < work.open.size(); ++work.next) {
    const Literal literal = work.open[work.next];
    budget_->add_steps(50);
    if (!add(literal, work, type)) return;
  }
  // What is one of some values is looked at value by value.
  if (work.branches.empty() || !work.result.values.empty()) {
    if (out.size() >= kMaxCases)
      throw_error(ErrorKind::invalid_argument, "{}: too complex: more than {} cases",
                  document_->path(document_->root()), kMaxCases);
    out.push_back(std::move(work.result));
    return;
  }
  const std::vector<Conjunction> ways = std::move(work.branches.back());
  work.branches.pop_back();
  for (const Conjunction& way : ways) {
    Work next = work;
    budget_->add_steps(200 + static_cast<int64_t>(next.open.size()) * 10);
    next.open.insert(next.open.end(), way.begin(), way.end());
    run(std::move(next), type, out, depth + 1);
  }
}

int32_t SchemaCases::link(const Schema* schema, int32_t parent) {
  for (int32_t at = parent; at >= 0; at = chains_[at].second) {
    budget_->add_steps(1);
    if (chains_[at].first == schema)
      throw_error(ErrorKind::unsupported, "{}: a definition refers to itself without anything around it",
                  document_->path(*schema));
  }
  chains_.push_back({schema, parent});
  return static_cast<int32_t>(chains_.size() - 1);
}

Literal SchemaCases::made(Schema schema, const Schema& origin) {
  budget_->add_bytes(200);
  return {&document_->keep(std::move(schema), origin)};
}

const Schema& SchemaCases::schema_of(const Literal& literal, const Schema& origin) {
  linked_.push_back(literal);
  Schema made = Schema::object();
  made[kLink] = Schema::binary({}, linked_.size() - 1);
  return document_->keep(std::move(made), origin);
}

const Literal* SchemaCases::linked(const Schema& schema) const {
  if (!schema.is_object()) return nullptr;
  const auto found = schema.find(kLink);
  // No text is read as a binary value: what a schema of others has under this name is not one.
  if (found == schema.end() || !found->is_binary()) return nullptr;
  return &linked_[found->get_binary().subtype()];
}

/// False: nothing of this type fits.
bool SchemaCases::add(const Literal& literal, Work& work, ValueType type) {
  const Schema& schema = *literal.schema;
  if (schema.is_boolean()) return schema.get<bool>() != literal.negated;
  if (const Literal* found = linked(schema)) {
    Literal other = *found;
    other.negated = other.negated != literal.negated;
    other.owners = literal.owners;
    other.chain = literal.chain;
    work.open.push_back(other);
    return true;
  }
  if (!work.seen.insert({&schema, literal.negated, static_cast<int>(literal.part)}).second) {
    link(&schema, literal.chain);  // throws when it is inside of itself
    return true;
  }
  keywords_->check(schema);
  if (literal.negated) return add_opposite(literal, work, type);

  const TypeRule types = keywords_->type(schema);
  if (!types.allows[static_cast<int>(type)]) return false;
  Case& result = work.result;
  result.has_type = result.has_type || types.present;
  if (type == ValueType::number && types.integers_only) result.integers_only = true;
  for (const ValueType other : kValueTypes) {
    if (!keywords_->has_rules_of(schema, other)) continue;
    if (other != type) result.speaks_of_others = true;
  }
  uint32_t owners = literal.owners;
  if (schema.contains("unevaluatedProperties") || schema.contains("unevaluatedItems")) {
    if (owners_ == 0x8000'0000U)
      keywords_->unsupported(schema, "unevaluatedProperties", "at more than 31 places: not supported");
    owners_ = owners_ == 0 ? 1 : owners_ << 1;
    owners |= owners_;
    result.unevaluated.push_back({&schema, owners_});
  }
  if (keywords_->has_rules_of(schema, type)) result.rules.push_back({&schema, owners});
  for (const char* name : {"const", "enum"}) {
    if (!schema.contains(name)) continue;
    result.values.push_back(&schema);
    result.has_type = true;
  }
  Literal with_owners = literal;
  with_owners.owners = owners;
  with_owners.chain = link(&schema, literal.chain);
  add_combinations(with_owners, work, type);
  return true;
}

void SchemaCases::add_combinations(const Literal& literal, Work& work, ValueType type) {
  const Schema& schema = *literal.schema;
  const auto inside = [&](const Schema& part, bool negated = false) {
    Literal out{&part, negated};
    out.owners = literal.owners;
    out.chain = literal.chain;
    return out;
  };
  if (schema.contains("$ref")) work.open.push_back(inside(document_->resolve(schema)));
  if (const Schema* all = keywords_->list(schema, "allOf")) {
    for (const Schema& part : *all) work.open.push_back(inside(part));
  }
  if (const Schema* any = keywords_->list(schema, "anyOf")) {
    std::vector<Conjunction> ways;
    for (const Schema& part : *any) {
      if (may_be(part, type, 0)) ways.push_back({inside(part)});
    }
    work.branches.push_back(std::move(ways));
  }
  if (const Schema* one = keywords_->list(schema, "oneOf")) add_one_of(*one, literal, work, type);
  if (const auto found = schema.find("not"); found != schema.end()) work.open.push_back(inside(*found, true));
  if (const auto found = schema.find("if"); found != schema.end()) {
    const auto then = schema.find("then"), otherwise = schema.find("else");
    if (then != schema.end() && otherwise != schema.end()) {
      work.branches.push_back({{inside(*found), inside(*then)}, {inside(*found, true), inside(*otherwise)}});
    } else if (then != schema.end()) {
      work.branches.push_back({{inside(*found), inside(*then)}, {inside(*found, true)}});
    } else if (otherwise != schema.end()) {
      work.branches.push_back({{inside(*found)}, {inside(*found, true), inside(*otherwise)}});
    }
  }
  if (type == ValueType::object) add_dependencies(literal, work);
}

void SchemaCases::add_dependencies(const Literal& literal, Work& work) {
  const Schema& schema = *literal.schema;
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    const Schema* dependencies = keywords_->object(schema, keyword);
    if (dependencies == nullptr) continue;
    for (const auto& [name, rule] : dependencies->items()) {
      if (rule.is_array()) {
        for (const Schema& needed : rule) {
          if (!needed.is_string()) keywords_->malformed(schema, keyword, "expected lists of names");
          work.result.obligations.push_back(
              {{Alternative::Kind::absent, name}, {Alternative::Kind::present, needed.get<std::string>()}});
        }
      } else {
        Literal then{&rule};
        then.owners = literal.owners;
        then.chain = literal.chain;
        work.branches.push_back(
            {{made({{"properties", {{name, false}}}, {"additionalProperties", true}}, schema)},
             {made({{"required", {name}}}, schema), then}});
      }
    }
  }
}

/// Exactly one: each branch, with the opposite of those others that could hold at once.
void SchemaCases::add_one_of(const Schema& list, const Literal& literal, Work& work, ValueType type) {
  std::vector<const Schema*> parts;
  for (const Schema& part : list) {
    if (may_be(part, type, 0)) parts.push_back(&part);
  }
  std::vector<Conjunction> ways;
  for (size_t i = 0; i < parts.size(); ++i) {
    Literal chosen{parts[i]};
    chosen.owners = literal.owners;
    chosen.chain = literal.chain;
    Conjunction way = {chosen};
    for (size_t j = 0; j < parts.size(); ++j) {
      if (j == i) continue;
      budget_->add_steps(100);
      if (disjoint(*parts[i], *parts[j], type, 0)) continue;
      Literal other{parts[j], true};
      other.chain = literal.chain;
      way.push_back(other);
    }
    ways.push_back(std::move(way));
  }
  work.branches.push_back(std::move(ways));
}

/// A schema does not hold when one of its keywords does not.
bool SchemaCases::add_opposite(const Literal& literal, Work& work, ValueType type) {
  const Schema& schema = *literal.schema;
  Case& result = work.result;
  if (literal.part == Literal::Part::values) {
    result.excluded.push_back(&schema);
    return true;
  }
  if (literal.part == Literal::Part::rules) {
    if (type == ValueType::object) {
      add_obligation(schema, work);
    } else {
      result.broken.push_back(&schema);
    }
    return true;
  }
  const TypeRule types = keywords_->type(schema);
  if (types.present) result.has_type = true;
  if (!types.allows[static_cast<int>(type)]) return true;
  const int32_t chain = link(&schema, literal.chain);
  const auto inside = [&](const Schema& part, bool negated) {
    Literal out{&part, negated};
    out.chain = chain;
    return out;
  };
  std::vector<Conjunction> ways;
  for (const char* keyword : {"unevaluatedProperties", "unevaluatedItems"}) {
    if (schema.contains(keyword))
      keywords_->unsupported(schema, keyword,
                             "inside of \"not\" or a \"oneOf\" that overlaps: not supported");
  }
  if (schema.contains("const") || schema.contains("enum"))
    ways.push_back({{&schema, true, Literal::Part::values}});
  if (schema.contains("$ref")) ways.push_back({inside(document_->resolve(schema), true)});
  if (const Schema* all = keywords_->list(schema, "allOf")) {
    for (const Schema& part : *all) ways.push_back({inside(part, true)});
  }
  if (const Schema* any = keywords_->list(schema, "anyOf")) {
    Conjunction none;
    for (const Schema& part : *any) none.push_back(inside(part, true));
    ways.push_back(std::move(none));
  }
  if (const Schema* one = keywords_->list(schema, "oneOf")) {
    Conjunction none;
    for (const Schema& part : *one) none.push_back(inside(part, true));
    ways.push_back(std::move(none));
    for (size_t i = 0; i < one->size(); ++i) {
      for (size_t j = i + 1; j < one->size(); ++j) {
        budget_->add_steps(100);
        if (!disjoint((*one)[i], (*one)[j], type, 0))
          ways.push_back({inside((*one)[i], false), inside((*one)[j], false)});
      }
    }
  }
  if (const auto found = schema.find("not"); found != schema.end()) ways.push_back({inside(*found, false)});
  if (const auto found = schema.find("if"); found != schema.end()) {
    const auto then = schema.find("then"), otherwise = schema.find("else");
    if (then != schema.end()) ways.push_back({inside(*found, false), inside(*then, true)});
    if (otherwise != schema.end()) ways.push_back({inside(*found, true), inside(*otherwise, true)});
  }
  const bool integers = type == ValueType::number && types.integers_only;
  if (type == ValueType::object) {
    bool has_obligation = false;
    oppose_object(schema, ways, has_obligation);
    if (has_obligation) ways.push_back({{&schema, true, Literal::Part::rules}});
  } else if (type == ValueType::array) {
    oppose_array(schema, ways);
  } else if (keywords_->has_rules_of(schema, type) || integers) {
    ways.push_back({{&schema, true, Literal::Part::rules}});
  }
  if (ways.empty()) return false;
  if (ways.size() == 1) {
    work.open.insert(work.open.end(), ways[0].begin(), ways[0].end());
  } else {
    work.branches.push_back(std::move(ways));
  }
  return true;
}

void SchemaCases::oppose_object(const Schema& schema, std::vector<Conjunction>& ways, bool& has_obligation) {
  if (const auto low = keywords_->count(schema, "minProperties"); low && *low > 0)
    ways.push_back({made({{"maxProperties", *low - 1}}, schema)});
  if (const auto high = keywords_->count(schema, "maxProperties"))
    ways.push_back({made({{"minProperties", *high + 1}}, schema)});
  if (schema.contains("propertyNames"))
    keywords_->unsupported(schema, "propertyNames",
                           "inside of \"not\" or a \"oneOf\" that overlaps: not supported");
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    const Schema* dependencies = keywords_->object(schema, keyword);
    if (dependencies == nullptr) continue;
    for (const auto& [name, rule] : dependencies->items()) {
      const Literal has = made({{"required", {name}}}, schema);
      if (!rule.is_array()) {
        ways.push_back({has, {&rule, true}});
        continue;
      }
      for (const Schema& needed : rule) {
        if (!needed.is_string()) keywords_->malformed(schema, keyword, "expected lists of names");
        const Literal lacks = made({{"required", {needed}}}, schema);
        ways.push_back({has, {lacks.schema, true}});
      }
    }
  }
  for (const char* keyword : {"required", "properties", "patternProperties", "additionalProperties"})
    has_obligation = has_obligation || schema.contains(keyword);
}

void SchemaCases::add_obligation(const Schema& schema, Work& work) {
  Obligation ways;
  for (const std::string& name : keywords_->names(schema, "required"))
    ways.push_back({Alternative::Kind::absent, name});
  const auto opposite = [](const Schema& part) { return Conjunction{{&part, true}}; };
  if (const Schema* properties = keywords_->object(schema, "properties")) {
    for (const auto& [name, value] : properties->items()) {
      if (value != true) ways.push_back({Alternative::Kind::present, name, opposite(value)});
    }
  }
  if (const Schema* patterns = keywords_->object(schema, "patternProperties")) {
    for (auto item = patterns->begin(); item != patterns->end(); ++item) {
      if (item.value() == true) continue;
      Alternative way{Alternative::Kind::other, "", opposite(item.value())};
      way.pattern = &item.key();
      ways.push_back(std::move(way));
    }
  }
  if (const auto rest = schema.find("additionalProperties"); rest != schema.end() && *rest != true) {
    Alternative way{Alternative::Kind::other, "", opposite(*rest)};
    way.beside = &schema;
    ways.push_back(std::move(way));
  }
  work.result.obligations.push_back(std::move(ways));
}

void SchemaCases::oppose_array(const Schema& schema, std::vector<Conjunction>& ways) {
  if (const auto low = keywords_->count(schema, "minItems"); low && *low > 0)
    ways.push_back({made({{"maxItems", *low - 1}}, schema)});
  if (const auto high = keywords_->count(schema, "maxItems"))
    ways.push_back({made({{"minItems", *high + 1}}, schema)});
  const char* const where = "inside of \"not\" or a \"oneOf\" that overlaps: not supported";
  if (keywords_->flag(schema, "uniqueItems")) keywords_->unsupported(schema, "uniqueItems", where);
  const Keywords::Items items = keywords_->items(schema);
  const auto count = items.prefix.size();
  for (size_t i = 0; i < count; ++i) {
    Schema prefix = Schema::array();
    for (size_t j = 0; j < i; ++j) prefix.push_back(true);
    prefix.push_back(schema_of({items.prefix[i], true}, schema));
    ways.push_back({made({{"minItems", i + 1}, {"prefixItems", std::move(prefix)}}, schema)});
  }
  if (items.rest != nullptr && *items.rest != true) {
    if (*items.rest == false) {
      ways.push_back({made({{"minItems", count + 1}}, schema)});
    } else if (count == 0) {
      ways.push_back({made({{"contains", schema_of({items.rest, true}, schema)}}, schema)});
    } else {
      keywords_->unsupported(
          schema, "items",
          "behind leading items, inside of \"not\" or a \"oneOf\" that overlaps: not supported");
    }
  }
  if (const auto found = schema.find("contains"); found != schema.end()) {
    if (schema.contains("minContains") || schema.contains("maxContains"))
      keywords_->unsupported(schema, "minContains", where);
    ways.push_back({made({{"items", schema_of({&*found, true}, schema)}}, schema)});
  }
}

/// Whether a document of the type may be valid, as far as "type" and references say.
bool SchemaCases::may_be(const Schema& schema, ValueType type, int depth) const {
  if (schema.is_boolean()) return schema.get<bool>();
  if (!schema.is_object() || depth > 8) return true;
  if (!keywords_->type(schema).allows[static_cast<int>(type)]) return false;
  return !schema.contains("$ref") || may_be(document_->resolve(schema), type, depth + 1);
}

/// The schema with what it refers to and joins by "allOf": a document must fit all of these.
std::vector<const Schema*> SchemaCases::joined(const Schema& schema) const {
  std::vector<const Schema*> all = {&schema};
  for (size_t i = 0; i < all.size() && all.size() < 50; ++i) {
    const Schema& part = *all[i];
    if (!part.is_object()) continue;
    if (part.contains("$ref")) all.push_back(&document_->resolve(part));
    if (const Schema* more = keywords_->list(part, "allOf")) {
      for (const Schema& one : *more) all.push_back(&one);
    }
  }
  budget_->add_steps(static_cast<int64_t>(all.size()) * 10);
  return all;
}

bool SchemaCases::disjoint(const Schema& a, const Schema& b, ValueType type, int depth) {
  if (depth > 8 || !a.is_object() || !b.is_object()) return false;
  if (!may_be(a, type, 0) || !may_be(b, type, 0)) return true;
  const auto [known, is_new] = disjoint_.try_emplace({&a, &b, type}, false);
  if (!is_new) return known->second;
  budget_->add_bytes(100);
  const std::vector<const Schema*> of_a = joined(a), of_b = joined(b);
  for (const Schema* one : of_a) {
    for (const Schema* other : of_b) {
      budget_->add_steps(10);
      if (one->is_object() && other->is_object() && scalars_disjoint(*one, *other, type))
        return disjoint_[{&a, &b, type}] = true;
    }
  }
  if (type != ValueType::object) return false;
  // Objects told apart by a property that both require.
  const auto required = [&](const std::vector<const Schema*>& parts) {
    std::set<std::string> names;
    for (const Schema* part : parts) {
      if (!part->is_object()) continue;
      for (std::string& name : keywords_->names(*part, "required")) names.insert(std::move(name));
    }
    return names;
  };
  const auto property = [&](const Schema* part, const std::string& name) -> const Schema* {
    const Schema* properties = part->is_object() ? keywords_->object(*part, "properties") : nullptr;
    if (properties == nullptr) return nullptr;
    const auto found = properties->find(name);
    return found == properties->end() ? nullptr : &*found;
  };
  const std::set<std::string> needed_a = required(of_a), needed_b = required(of_b);
  for (const std::string& name : needed_a) {
    if (!needed_b.contains(name)) continue;
    for (const Schema* one : of_a) {
      const Schema* first = property(one, name);
      if (first == nullptr) continue;
      for (const Schema* other : of_b) {
        const Schema* second = property(other, name);
        if (second != nullptr && std::ranges::all_of(kValueTypes, [&](ValueType each) {
              return disjoint(*first, *second, each, depth + 1);
            }))
          return disjoint_[{&a, &b, type}] = true;
      }
    }
  }
  return false;
}

bool SchemaCases::scalars_disjoint(const Schema& a, const Schema& b, ValueType type) {
  if (!keywords_->type(a).allows[static_cast<int>(type)] ||
      !keywords_->type(b).allows[static_cast<int>(type)])
    return true;
  const auto values = [&](const Schema& schema) -> const std::set<std::string>* {
    const auto known = values_.find(&schema);
    if (known != values_.end()) return known->second ? &*known->second : nullptr;
    std::optional<std::set<std::string>>& all = values_[&schema];
    if (const auto one = schema.find("const"); one != schema.end()) {
      all.emplace().insert(canonical(*one));
    } else if (const Schema* list = keywords_->list(schema, "enum")) {
      all.emplace();
      for (const Schema& value : *list) {
        all->insert(canonical(value));
        budget_->add_bytes(static_cast<int64_t>(sizeof(std::string)) + 40);
        budget_->add_steps(50);
      }
    }
    return all ? &*all : nullptr;
  };
  const std::set<std::string>*in_a = values(a), *in_b = values(b);
  if (in_a != nullptr && in_b != nullptr) {
    const bool a_is_smaller = in_a->size() < in_b->size();
    const std::set<std::string>*few = a_is_smaller ? in_a : in_b, *many = a_is_smaller ? in_b : in_a;
    budget_->add_steps(static_cast<int64_t>(few->size()) * 20);
    return std::ranges::none_of(*few, [&](const std::string& text) { return many->contains(text); });
  }
  if (type != ValueType::string) return false;
  const auto pattern_a = keywords_->text(a, "pattern"), pattern_b = keywords_->text(b, "pattern");
  if (pattern_a && pattern_b)
    return strings_->disjoint(*pattern_a, *pattern_b, document_->path(a) + ".pattern");
  for (const auto& [pattern, texts, of] :
       {std::tuple(&pattern_a, in_b, &a), std::tuple(&pattern_b, in_a, &b)}) {
    if (!*pattern || texts == nullptr) continue;
    const Automaton& automaton = strings_->pattern(**pattern, document_->path(*of) + ".pattern");
    return std::ranges::none_of(*texts, [&](const std::string& text) {
      budget_->add_steps(static_cast<int64_t>(text.size()) * 10);
      return text.starts_with('"') && automaton.accepts(Schema::parse(text).get<std::string>());
    });
  }
  return false;
}

}  // namespace r1::grammar
