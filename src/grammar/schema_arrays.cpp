// Arrays: leading items, then others; with counts of items and of those that "contains" asks for.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "grammar/regex_grammar.h"
#include "grammar/schema_compiler.h"

namespace r1::grammar {
namespace {

constexpr int64_t kMaxItems = 10'000;      // longer limits are not reached
constexpr size_t kMaxDistinctTexts = 256;  // items of so few values are counted one by one

}  // namespace

class ArrayRules {
 public:
  ArrayRules(SchemaCompiler& compiler, const Case& one)
      : compiler_(compiler),
        builder_(compiler.builder_),
        budget_(compiler.budget_),
        keywords_(compiler.keywords_),
        case_(one) {}

  Fragment make();

 private:
  struct Contained {
    Conjunction item, other;  // of one that counts, of one that does not (only where there is a limit)
    int64_t low = 1, high = -1, cap = 1;
  };
  struct Node {
    int64_t index;
    std::vector<int64_t> contained;
    // The check takes the comparison with 0 inside for a null pointer.
    auto operator<=>(const Node&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  void read_rules();
  Conjunction item_rules(size_t index) const;
  Fragment make_distinct(const std::vector<std::string>& texts);
  StateId node(const Node& key);
  void expand(const Node& key, StateId at);
  void add_item(const Node& key, StateId from);
  bool may_end(const Node& key) const;

  SchemaCompiler& compiler_;
  GrammarBuilder& builder_;
  Budget& budget_;
  const Keywords& keywords_;
  const Case& case_;
  std::vector<std::pair<Keywords::Items, uint32_t>> items_;
  size_t prefix_ = 0;  // the longest
  int64_t low_ = 0, high_ = -1, cap_ = 1;
  bool distinct_ = false;
  std::vector<Contained> contains_;
  std::map<Node, StateId> nodes_;
  std::vector<std::pair<Node, StateId>> open_;
  StateId close_ = -1;
};

Fragment SchemaCompiler::make_array(const Conjunction& /*conjunction*/, const Case& one) {
  return ArrayRules(*this, one).make();
}

void ArrayRules::read_rules() {
  for (const Case::Rules& rules : case_.rules) {
    const Schema& schema = *rules.schema;
    items_.push_back({keywords_.items(schema), rules.owners});
    prefix_ = std::max(prefix_, items_.back().first.prefix.size());
    if (const auto low = keywords_.count(schema, "minItems")) low_ = std::max(low_, *low);
    if (const auto high = keywords_.count(schema, "maxItems"))
      high_ = high_ < 0 ? *high : std::min(high_, *high);
    distinct_ = distinct_ || keywords_.flag(schema, "uniqueItems");
    const auto found = schema.find("contains");
    if (found == schema.end()) continue;
    Contained one;
    one.item = {{&*found}};
    one.low = keywords_.count(schema, "minContains").value_or(1);
    one.high = keywords_.count(schema, "maxContains").value_or(-1);
    one.cap = std::max(one.low, one.high);
    if (one.high >= 0) one.other = {{&*found, true}};
    if (one.low > 0 || one.high >= 0) contains_.push_back(std::move(one));
  }
  for (const auto& [schema, bit] : case_.unevaluated) {
    const auto rest = schema->find("unevaluatedItems");
    if (rest == schema->end()) continue;
    // What the schemas below it say nothing of.
    size_t evaluated = 0;
    bool all = false;
    for (const auto& [items, owners] : items_) {
      if ((owners & bit) == 0) continue;
      evaluated = std::max(evaluated, items.prefix.size());
      all = all || items.rest != nullptr;
    }
    if (all) continue;
    static const Schema kTrue = true;
    Keywords::Items rules;
    rules.prefix.assign(evaluated, &kTrue);
    rules.rest = &*rest;
    items_.push_back({std::move(rules), 0});
    prefix_ = std::max(prefix_, evaluated);
  }
  if (high_ > kMaxItems) high_ = std::max(kMaxItems, low_);
}

Conjunction ArrayRules::item_rules(size_t index) const {
  Conjunction rules;
  for (const auto& [items, owners] : items_) {
    const Schema* part = index < items.prefix.size() ? items.prefix[index] : items.rest;
    if (part != nullptr) rules.push_back({part});
  }
  return rules;
}

Fragment ArrayRules::make() {
  read_rules();
  for (size_t index = 0; index <= prefix_; ++index) {
    if (compiler_.rule_of(item_rules(index)) != SchemaCompiler::kNothing) continue;
    const auto count = static_cast<int64_t>(index);
    high_ = high_ < 0 ? count : std::min(high_, count);
    break;
  }
  if (high_ >= 0 && low_ > high_) return builder_.nothing();
  if (distinct_ && prefix_ == 0 && contains_.empty() && high_ != 0) {
    if (const auto texts = compiler_.texts_of(item_rules(0), kMaxDistinctTexts)) return make_distinct(*texts);
  }
  cap_ = std::max<int64_t>({1, low_, static_cast<int64_t>(prefix_), high_});
  close_ = builder_.add_state();
  const StateId end = builder_.add_state();
  builder_.add_edge(close_, {Edge::Kind::bytes, ']', ']', -1, end});
  const Fragment begin = builder_.sequence({builder_.literal("["), compiler_.json_.space()});
  const Node first{0, std::vector<int64_t>(contains_.size(), 0)};
  if (may_end(first)) builder_.link(begin.end, close_);
  add_item(first, begin.end);
  while (!open_.empty()) {
    const auto [key, state] = std::move(open_.back());
    open_.pop_back();
    expand(key, state);
  }
  return {begin.start, end};
}

/// Each of some texts at most once, in any order.
Fragment ArrayRules::make_distinct(const std::vector<std::string>& texts) {
  const auto count = static_cast<int64_t>(texts.size());
  if (high_ < 0 || high_ > count) high_ = count;
  if (low_ > high_) return builder_.nothing();
  std::vector<RuleId> rules;
  rules.reserve(texts.size());
  for (const std::string& text : texts) rules.push_back(builder_.add_rule(builder_.literal(text)));
  const StateId close = builder_.add_state(), end = builder_.add_state();
  builder_.add_edge(close, {Edge::Kind::bytes, ']', ']', -1, end});
  const Fragment begin = builder_.sequence({builder_.literal("["), compiler_.json_.space()});
  // Numbers of items are told apart as far as a limit needs it.
  const int64_t cap = high_ < count ? high_ : std::max<int64_t>(1, low_);
  std::vector<StateId> written;
  for (int64_t i = 0; i <= cap; ++i) written.push_back(i == 0 ? begin.end : builder_.add_state());
  for (int64_t i = 0; i <= cap; ++i) {
    if (i >= low_) {
      const Fragment space = i == 0 ? builder_.empty() : compiler_.json_.space();
      builder_.link(written[i], space.start);
      builder_.link(space.end, close);
    }
    if (i == cap && high_ < count) break;
    for (size_t value = 0; value < texts.size(); ++value) {
      std::vector<Fragment> parts = {builder_.once(static_cast<int32_t>(value))};
      if (i > 0) parts.push_back(builder_.literal(",")), parts.push_back(compiler_.json_.space());
      parts.push_back(builder_.call(rules[value]));
      const Fragment item = builder_.sequence(parts);
      builder_.link(written[i], item.start);
      builder_.link(item.end, written[std::min(i + 1, cap)]);
    }
  }
  return {begin.start, end};
}

StateId ArrayRules::node(const Node& key) {
  const auto [place, is_new] = nodes_.try_emplace(key, -1);
  if (is_new) {
    place->second = builder_.add_state();
    budget_.add_bytes(100 + static_cast<int64_t>(key.contained.size()) * 8);
    open_.push_back({key, place->second});
  }
  return place->second;
}

bool ArrayRules::may_end(const Node& key) const {
  if (key.index < low_) return false;
  for (size_t i = 0; i < contains_.size(); ++i) {
    if (key.contained[i] < contains_[i].low) return false;
  }
  return true;
}

void ArrayRules::expand(const Node& key, StateId at) {
  if (may_end(key)) {
    const Fragment space = compiler_.json_.space();
    builder_.link(at, space.start);
    builder_.link(space.end, close_);
  }
  if (high_ >= 0 && key.index >= high_) return;
  const Fragment comma = builder_.sequence({builder_.literal(","), compiler_.json_.space()});
  builder_.link(at, comma.start);
  add_item(key, comma.end);
}

void ArrayRules::add_item(const Node& key, StateId from) {
  if (high_ >= 0 && key.index >= high_) return;
  if (contains_.size() > 8)
    throw_error(ErrorKind::invalid_argument, "{}: too complex: more than 8 \"contains\" at one array",
                compiler_.document_.path(*case_.rules.front().schema));
  const Conjunction item = item_rules(static_cast<size_t>(key.index));
  for (uint32_t choice = 0; choice < uint32_t{1} << contains_.size(); ++choice) {
    budget_.add_steps(20);
    Conjunction rules = item;
    Node next = key;
    next.index = std::min(key.index + 1, cap_);
    bool possible = true;
    for (size_t i = 0; i < contains_.size(); ++i) {
      const Contained& one = contains_[i];
      const bool counts = (choice >> i & 1) != 0;
      const Conjunction& more = counts ? one.item : one.other;
      if (counts && one.high >= 0 && key.contained[i] >= one.high) possible = false;
      if (counts && one.high < 0 && key.contained[i] >= one.low) possible = false;  // enough of them
      if (counts) next.contained[i] = std::min(key.contained[i] + 1, one.cap);
      rules.insert(rules.end(), more.begin(), more.end());
    }
    if (!possible) continue;
    const RuleId rule = compiler_.rule_of(rules);
    if (rule == SchemaCompiler::kNothing) continue;
    const Fragment written = distinct_ ? builder_.call_distinct(rule) : builder_.call(rule);
    builder_.link(from, written.start);
    builder_.link(written.end, node(next));
  }
}

}  // namespace r1::grammar
