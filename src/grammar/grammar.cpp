#include "grammar/grammar.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "base/error.h"
#include "grammar/mask_cache.h"

namespace r1::grammar {

Grammar::Grammar(std::vector<State> states, std::vector<StateId> rule_starts, RuleId root)
    : states_(std::move(states)), rule_starts_(std::move(rule_starts)), root_(root) {
  check_recursion();
  cache_ = std::make_unique<MaskCache>(*this);
}

Grammar::~Grammar() = default;

/// A rule that reaches itself before a byte was taken would be followed without end.
void Grammar::check_recursion() const {
  const size_t rules = rule_starts_.size();
  // What each rule can call first, and whether it can end without a byte; until nothing changes any more.
  std::vector<bool> nullable(rules, false);
  std::vector<std::set<RuleId>> first(rules);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t rule = 0; rule < rules; ++rule) {
      std::vector<StateId> open = {rule_starts_[rule]};
      std::set<StateId> seen(open.begin(), open.end());
      const auto visit = [&](StateId state) {
        if (seen.insert(state).second) open.push_back(state);
      };
      while (!open.empty()) {
        const State& at = states_[open.back()];
        open.pop_back();
        if (at.ends_rule && !nullable[rule]) changed = nullable[rule] = true;
        for (const Edge& edge : at.edges) {
          if (edge.kind == Edge::Kind::empty) visit(edge.target);
          if (edge.kind != Edge::Kind::call) continue;
          if (first[rule].insert(edge.value).second) changed = true;
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

StateId GrammarBuilder::add_state() {
  if (static_cast<int64_t>(states_.size()) >= kMaxStates)
    throw_error(ErrorKind::invalid_argument, "schema: too large: more than {} states", kMaxStates);
  states_.emplace_back();
  return static_cast<StateId>(states_.size() - 1);
}

void GrammarBuilder::add_edge(StateId from, const Edge& edge) {
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

Fragment GrammarBuilder::sequence(std::vector<Fragment> parts) {
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

Fragment GrammarBuilder::characters(const std::vector<std::pair<char32_t, char32_t>>& ranges) {
  const Fragment part{add_state(), add_state()};
  for (const auto& [low, high] : ranges) {
    if (low < 0xD800) add_utf8_range(part.start, part.end, low, std::min<char32_t>(high, 0xD7FF));
    if (high > 0xDFFF) add_utf8_range(part.start, part.end, std::max<char32_t>(low, 0xE000), high);
  }
  return part;
}

/// Cuts the range where the encoding's length changes, then where a leading part of the bytes stops being a
/// product of byte ranges.
void GrammarBuilder::add_utf8_range(StateId from, StateId to, char32_t low, char32_t high) {
  if (low > high) return;
  for (const char32_t limit : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
    if (low <= limit && high > limit) {
      add_utf8_range(from, to, low, limit);
      add_utf8_range(from, to, limit + 1, high);
      return;
    }
  }
  const int length = high <= 0x7F ? 1 : high <= 0x7FF ? 2 : high <= 0xFFFF ? 3 : 4;
  for (int tail = 1; tail < length; ++tail) {
    const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      add_utf8_range(from, to, low, low | mask);
      add_utf8_range(from, to, (low | mask) + 1, high);
      return;
    }
    if ((high & mask) != mask) {
      add_utf8_range(from, to, low, (high & ~mask) - 1);
      add_utf8_range(from, to, high & ~mask, high);
      return;
    }
  }
  constexpr std::array<uint8_t, 5> kLead = {0, 0, 0xC0, 0xE0, 0xF0};
  StateId at = from;
  for (int i = 0; i < length; ++i) {
    const int shift = 6 * (length - 1 - i);
    const auto byte = [&](char32_t value) {
      if (length == 1) return static_cast<uint8_t>(value);
      if (i == 0) return static_cast<uint8_t>(kLead[length] | (value >> shift));
      return static_cast<uint8_t>(0x80 | ((value >> shift) & 0x3F));
    };
    const StateId next = i + 1 == length ? to : add_state();
    add_edge(at, {Edge::Kind::bytes, byte(low), byte(high), -1, next});
    at = next;
  }
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

std::shared_ptr<const Grammar> GrammarBuilder::finish(RuleId root) {
  return std::make_shared<Grammar>(std::move(states_), std::move(rule_starts_), root);
}

}  // namespace r1::grammar
