#include "grammar/grammar.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/error.h"
#include "grammar/mask_cache.h"

namespace r1::grammar {
namespace {

bool calls(const Edge& edge) {
  return edge.kind == Edge::Kind::call || edge.kind == Edge::Kind::call_distinct;
}

bool takes_nothing(const Edge& edge) {
  return edge.kind == Edge::Kind::empty || edge.kind == Edge::Kind::once;
}

}  // namespace

Grammar::Grammar(std::vector<State> states, std::vector<StateId> rule_starts, RuleId root, Budget& budget)
    : states_(std::move(states)), rule_starts_(std::move(rule_starts)), root_(root) {
  check_recursion(budget);
  find_byte_classes();
  mark_memory();
  cache_ = std::make_unique<MaskCache>(*this);
}

Grammar::~Grammar() = default;

/// A rule that reaches itself before a byte was taken would be followed without end.
void Grammar::check_recursion(Budget& budget) const {
  const size_t rules = rule_starts_.size();
  // What each rule can call first, and whether it can end without a byte; until nothing changes any more.
  std::vector<bool> nullable(rules, false);
  std::vector<std::set<RuleId>> first(rules);
  std::vector<int32_t> seen(states_.size(), -1);
  int32_t round = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t rule = 0; rule < rules; ++rule) {
      std::vector<StateId> open = {rule_starts_[rule]};
      ++round;
      seen[open[0]] = round;
      const auto visit = [&](StateId state) {
        if (seen[state] == round) return;
        seen[state] = round;
        open.push_back(state);
      };
      while (!open.empty()) {
        const State& at = states_[open.back()];
        open.pop_back();
        budget.add_steps(1 + static_cast<int64_t>(at.edges.size()));
        if (at.ends_rule && !nullable[rule]) changed = nullable[rule] = true;
        for (const Edge& edge : at.edges) {
          if (takes_nothing(edge)) visit(edge.target);
          if (!calls(edge)) continue;
          first[rule].insert(edge.value);
          if (nullable[edge.value]) visit(edge.target);
        }
      }
    }
  }
  std::vector<int> mark(rules, 0);  // 1: being visited, 2: done
  std::vector<std::pair<RuleId, std::set<RuleId>::const_iterator>> path;
  for (size_t rule = 0; rule < rules; ++rule) {
    if (mark[rule] != 0) continue;
    path.push_back({static_cast<RuleId>(rule), first[rule].begin()});
    mark[rule] = 1;
    while (!path.empty()) {
      auto& [at, next] = path.back();
      if (next == first[at].end()) {
        mark[at] = 2;
        path.pop_back();
        continue;
      }
      const RuleId called = *next++;
      if (mark[called] == 1)
        throw_error(ErrorKind::unsupported,
                    "schema: a definition refers to itself without anything around it");
      if (mark[called] == 0) {
        mark[called] = 1;
        path.push_back({called, first[called].begin()});
      }
    }
  }
}

void Grammar::find_byte_classes() {
  std::array<bool, 257> begins{};
  for (const State& state : states_) {
    for (const Edge& edge : state.edges) {
      if (edge.kind == Edge::Kind::bytes) begins[edge.low] = begins[edge.high + 1] = true;
    }
  }
  int count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (byte > 0 && begins[byte]) ++count;
    byte_classes_[byte] = static_cast<uint8_t>(count);
  }
  byte_class_count_ = count + 1;
}

void Grammar::mark_memory() {
  std::vector<char> seen(states_.size(), 0);
  for (const StateId start : rule_starts_) {
    std::vector<StateId> body = {start};
    if (seen[start]) continue;
    seen[start] = 1;
    bool remembers = false;
    for (size_t i = 0; i < body.size(); ++i) {
      for (const Edge& edge : states_[body[i]].edges) {
        remembers = remembers || edge.kind == Edge::Kind::call_distinct || edge.kind == Edge::Kind::once;
        if (!seen[edge.target]) seen[edge.target] = 1, body.push_back(edge.target);
      }
    }
    if (!remembers) continue;
    remembers_ = true;
    for (const StateId state : body) states_[state].remembers = true;
  }
}

StateId GrammarBuilder::add_state() {
  budget_->add_states(1);
  budget_->add_bytes(sizeof(State));
  states_.emplace_back();
  return static_cast<StateId>(states_.size() - 1);
}

void GrammarBuilder::add_edge(StateId from, const Edge& edge) {
  budget_->add_bytes(sizeof(Edge));
  states_[from].edges.push_back(edge);
}

Fragment GrammarBuilder::empty() {
  const StateId state = add_state();
  return {state, state};
}

Fragment GrammarBuilder::bytes(uint8_t low, uint8_t high) {
  const Fragment part{add_state(), add_state()};
  add_edge(part.start, {Edge::Kind::bytes, low, high, -1, part.end});
  return part;
}

Fragment GrammarBuilder::literal(std::string_view text) {
  Fragment part = empty();
  for (const char c : text) {
    const StateId next = add_state();
    const auto byte = static_cast<uint8_t>(c);
    add_edge(part.end, {Edge::Kind::bytes, byte, byte, -1, next});
    part.end = next;
  }
  return part;
}

Fragment GrammarBuilder::token(int32_t id) {
  const Fragment part{add_state(), add_state()};
  add_edge(part.start, {Edge::Kind::token, 0, 0, id, part.end});
  return part;
}

Fragment GrammarBuilder::call(RuleId rule) {
  const Fragment part{add_state(), add_state()};
  add_edge(part.start, {Edge::Kind::call, 0, 0, rule, part.end});
  return part;
}

Fragment GrammarBuilder::call_distinct(RuleId rule) {
  const Fragment part{add_state(), add_state()};
  add_edge(part.start, {Edge::Kind::call_distinct, 0, 0, rule, part.end});
  return part;
}

Fragment GrammarBuilder::once(int32_t value) {
  const Fragment part{add_state(), add_state()};
  add_edge(part.start, {Edge::Kind::once, 0, 0, value, part.end});
  return part;
}

Fragment GrammarBuilder::sequence(const std::vector<Fragment>& parts) {
  if (parts.empty()) return empty();
  for (size_t i = 1; i < parts.size(); ++i) link(parts[i - 1].end, parts[i].start);
  return {parts.front().start, parts.back().end};
}

Fragment GrammarBuilder::either(const std::vector<Fragment>& parts) {
  if (parts.size() == 1) return parts.front();
  const Fragment all{add_state(), add_state()};
  for (const Fragment& part : parts) {
    link(all.start, part.start);
    link(part.end, all.end);
  }
  return all;
}

Fragment GrammarBuilder::optional(Fragment part) {
  const Fragment all{add_state(), add_state()};
  link(all.start, part.start);
  link(part.end, all.end);
  link(all.start, all.end);
  return all;
}

Fragment GrammarBuilder::any_number(Fragment part) {
  const StateId state = add_state();
  link(state, part.start);
  link(part.end, state);
  const StateId end = add_state();
  link(state, end);
  return {state, end};
}

RuleId GrammarBuilder::declare_rule() {
  rule_starts_.push_back(-1);
  return static_cast<RuleId>(rule_starts_.size() - 1);
}

void GrammarBuilder::define_rule(RuleId rule, Fragment body) {
  rule_starts_[rule] = body.start;
  states_[body.end].ends_rule = true;
}

RuleId GrammarBuilder::add_rule(Fragment body) {
  const RuleId rule = declare_rule();
  define_rule(rule, body);
  return rule;
}

/// A state is of use when it can reach the end of its rule, by calls of rules that can be ended. Found from the
/// ends backwards.
/// Tells which rules can be ended; nothing is left out when the root is not among them.
std::vector<char> GrammarBuilder::leave_out_dead_ends(RuleId root) {
  const size_t count = states_.size();
  std::vector<std::vector<std::pair<StateId, RuleId>>> back(
      count);  // a state's predecessors; rule: by a call of it
  for (size_t state = 0; state < count; ++state) {
    for (const Edge& edge : states_[state].edges)
      back[edge.target].push_back({static_cast<StateId>(state), calls(edge) ? edge.value : -1});
    budget_->add_steps(1 + static_cast<int64_t>(states_[state].edges.size()));
  }
  std::vector<std::vector<RuleId>> starts(count);
  for (size_t rule = 0; rule < rule_starts_.size(); ++rule)
    starts[rule_starts_[rule]].push_back(static_cast<RuleId>(rule));
  std::vector<char> useful(count, 0), can_end(rule_starts_.size(), 0);
  std::vector<std::vector<StateId>> waiting(
      rule_starts_.size());  // callers whose way behind the call is of use
  std::vector<StateId> open;
  const auto visit = [&](StateId state) {
    if (!useful[state]) useful[state] = 1, open.push_back(state);
  };
  for (size_t state = 0; state < count; ++state) {
    if (states_[state].ends_rule) visit(static_cast<StateId>(state));
  }
  while (!open.empty()) {
    const StateId at = open.back();
    open.pop_back();
    budget_->add_steps(1 + static_cast<int64_t>(back[at].size()));
    for (const auto& [from, rule] : back[at]) {
      if (rule < 0 || can_end[rule]) {
        visit(from);
      } else {
        waiting[rule].push_back(from);
      }
    }
    for (const RuleId rule : starts[at]) {
      can_end[rule] = 1;
      for (const StateId from : waiting[rule]) visit(from);
      waiting[rule].clear();
    }
  }
  if (!can_end[root]) return can_end;
  for (State& state : states_) {
    std::erase_if(state.edges, [&](const Edge& edge) {
      return !useful[edge.target] || (calls(edge) && !can_end[edge.value]);
    });
  }
  return can_end;
}

/// Of the rules without a text that the root calls, one whose own rules contradict each other.
RuleId GrammarBuilder::contradiction(RuleId root, const std::vector<char>& can_end) const {
  std::vector<char> seen(rule_starts_.size(), 0);
  for (RuleId rule = root;;) {
    seen[rule] = 1;
    RuleId inside = -1;
    std::vector<StateId> open = {rule_starts_[rule]};
    std::set<StateId> visited(open.begin(), open.end());
    while (!open.empty()) {
      const State& at = states_[open.back()];
      open.pop_back();
      for (const Edge& edge : at.edges) {
        if (calls(edge) && !can_end[edge.value] && !seen[edge.value]) inside = edge.value;
        if (calls(edge) && !can_end[edge.value]) continue;
        if (visited.insert(edge.target).second) open.push_back(edge.target);
      }
    }
    if (inside < 0) return rule;
    rule = inside;
  }
}

std::shared_ptr<const Grammar> GrammarBuilder::finish(RuleId root, std::string_view name) {
  const std::vector<char> can_end = leave_out_dead_ends(root);
  if (!can_end[root]) {
    const auto found = rule_names_.find(contradiction(root, can_end));
    throw_error(ErrorKind::unsupported, "{}: no text fits: its rules contradict each other",
                found == rule_names_.end() ? name : std::string_view(found->second));
  }
  return std::make_shared<Grammar>(std::move(states_), std::move(rule_starts_), root, *budget_);
}

}  // namespace r1::grammar
