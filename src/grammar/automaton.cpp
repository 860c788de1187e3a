#include "grammar/automaton.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"

namespace r1::grammar {
namespace {

using Arc = Automaton::Arc;

constexpr int64_t kMaxDeterministicStates = 20'000;
// Of an automaton, times the characters that are counted.
constexpr int64_t kMaxCountedStates = 30'000, kMaxCountedAsciiStates = 100'000;

/// Numbers sets of states.
class SetTable {
 public:
  explicit SetTable(Budget& budget) : budget_(&budget) {}

  /// The number of a sorted set, and whether it is new.
  std::pair<int32_t, bool> number(const std::vector<int32_t>& set) {
    budget_->add_steps(static_cast<int64_t>(set.size()) + 1);
    auto& chain = chains_[fnv1a(set)];
    for (const int32_t candidate : chain) {
      if (sets_[candidate] == set) return {candidate, false};
    }
    budget_->add_bytes(static_cast<int64_t>(set.size() * sizeof(int32_t)) + 64);
    chain.push_back(static_cast<int32_t>(sets_.size()));
    sets_.push_back(set);
    return {chain.back(), true};
  }
  const std::vector<int32_t>& operator[](int32_t number) const { return sets_[number]; }
  int64_t size() const { return static_cast<int64_t>(sets_.size()); }

 private:
  Budget* budget_;
  std::unordered_map<uint64_t, std::vector<int32_t>> chains_;
  std::vector<std::vector<int32_t>> sets_;
};

/// Joins neighbouring arcs to the same target; for deterministic states.
void join_arcs(std::vector<Arc>& arcs) {
  size_t kept = 0;
  for (const Arc& arc : arcs) {
    if (kept > 0 && arcs[kept - 1].target == arc.target && arcs[kept - 1].high + 1 == arc.low) {
      arcs[kept - 1].high = arc.high;
    } else {
      arcs[kept++] = arc;
    }
  }
  arcs.resize(kept);
}

/// Where the arcs of a set of states begin and end: the bytes from one of these to the next go the same ways.
std::vector<int> boundaries(const std::vector<Arc>& arcs) {
  std::array<bool, 257> begins{};
  for (const Arc& arc : arcs) begins[arc.low] = begins[arc.high + 1] = true;
  std::vector<int> out;
  for (int byte = 0; byte <= 256; ++byte) {
    if (begins[byte]) out.push_back(byte);
  }
  return out;
}

/// Leaves out what is not reached and what reaches nothing.
Automaton trimmed(const Automaton& automaton) {
  const int32_t count = automaton.size();
  std::vector<char> reached(count, 0);
  std::vector<int32_t> open = {0};
  reached[0] = 1;
  std::vector<std::vector<int32_t>> back(count);
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    for (const Arc& arc : automaton.arcs[at]) {
      back[arc.target].push_back(at);
      if (!reached[arc.target]) reached[arc.target] = 1, open.push_back(arc.target);
    }
  }
  std::vector<char> useful(count, 0);
  for (int32_t state = 0; state < count; ++state) {
    if (reached[state] && automaton.accepting[state]) useful[state] = 1, open.push_back(state);
  }
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    for (const int32_t from : back[at]) {
      if (!useful[from]) useful[from] = 1, open.push_back(from);
    }
  }
  if (!useful[0]) return {{{}}, {0}, true};
  std::vector<int32_t> renamed(count, -1);
  int32_t kept = 0;
  for (int32_t state = 0; state < count; ++state) {
    if (useful[state]) renamed[state] = kept++;
  }
  Automaton out;
  out.deterministic = automaton.deterministic;
  out.arcs.resize(kept);
  out.accepting.resize(kept, 0);
  for (int32_t state = 0; state < count; ++state) {
    if (renamed[state] < 0) continue;
    out.accepting[renamed[state]] = automaton.accepting[state];
    for (const Arc& arc : automaton.arcs[state]) {
      if (renamed[arc.target] >= 0)
        out.arcs[renamed[state]].push_back({arc.low, arc.high, renamed[arc.target]});
    }
    if (out.deterministic) join_arcs(out.arcs[renamed[state]]);
  }
  return out;
}

std::optional<Automaton> deterministic_form(const Automaton& automaton, int64_t max_states, Budget& budget) {
  if (automaton.deterministic) return automaton;
  AutomatonBuilder builder(budget);
  const AutomatonBuilder::Piece whole = builder.automaton(automaton);
  Automaton out = builder.finish(whole, max_states);
  if (!out.deterministic) return std::nullopt;
  return out;
}

}  // namespace

bool Automaton::empty() const {
  return arcs.empty() || (arcs[0].empty() && !accepting[0]);
}

bool Automaton::accepts(std::string_view text) const {
  if (arcs.empty()) return false;
  std::vector<int32_t> now = {0}, next;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    next.clear();
    for (const int32_t state : now) {
      for (const Arc& arc : arcs[state]) {
        if (byte >= arc.low && byte <= arc.high) next.push_back(arc.target);
      }
    }
    std::ranges::sort(next);
    next.erase(std::unique(next.begin(), next.end()), next.end());
    now.swap(next);
    if (now.empty()) return false;
  }
  return std::ranges::any_of(now, [&](int32_t state) { return accepting[state] != 0; });
}

int32_t AutomatonBuilder::add_state() {
  budget_->add_states(1);
  states_.emplace_back();
  return static_cast<int32_t>(states_.size() - 1);
}

void AutomatonBuilder::add_arc(int32_t from, uint8_t low, uint8_t high, int32_t to) {
  states_[from].arcs.push_back({low, high, to});
}

void AutomatonBuilder::link(int32_t from, int32_t to, Condition condition) {
  states_[from].links.push_back({to, condition});
}

AutomatonBuilder::Piece AutomatonBuilder::empty() {
  const int32_t state = add_state();
  return {state, state};
}

AutomatonBuilder::Piece AutomatonBuilder::assertion(Condition condition) {
  const Piece piece{add_state(), add_state()};
  link(piece.start, piece.end, condition);
  return piece;
}

AutomatonBuilder::Piece AutomatonBuilder::characters(const CharacterRanges& ranges) {
  const Piece piece{add_state(), add_state()};
  // Tails of the same kind are shared: from[i] takes i continuation bytes of any value.
  std::array<int32_t, 4> tails = {piece.end, -1, -1, -1};
  const auto tail = [&](int length) {
    for (int i = 1; i <= length; ++i) {
      if (tails[i] >= 0) continue;
      tails[i] = add_state();
      add_arc(tails[i], 0x80, 0xBF, tails[i - 1]);
    }
    return tails[length];
  };
  for (const auto& [low, high] : ranges) {
    for (const auto& [first, last] : {std::pair<char32_t, char32_t>{0, 0xD7FF}, {0xE000, 0x10FFFF}}) {
      if (std::max(low, first) > std::min(high, last)) continue;
      for (const Utf8Range& range : utf8_ranges(std::max(low, first), std::min(high, last))) {
        int32_t at = piece.start;
        for (int i = 0; i < range.length; ++i) {
          bool rest_is_any = true;
          for (int j = i + 1; j < range.length; ++j)
            rest_is_any = rest_is_any && range.low[j] == 0x80 && range.high[j] == 0xBF;
          const int32_t next = rest_is_any ? tail(range.length - 1 - i) : add_state();
          add_arc(at, range.low[i], range.high[i], next);
          if (rest_is_any) break;
          at = next;
        }
      }
    }
  }
  return piece;
}

AutomatonBuilder::Piece AutomatonBuilder::automaton(const Automaton& part) {
  const auto base = static_cast<int32_t>(states_.size());
  for (int32_t i = 0; i < part.size(); ++i) add_state();
  const Piece piece{add_state(), add_state()};
  if (part.arcs.empty()) return piece;
  link(piece.start, base);
  for (int32_t state = 0; state < part.size(); ++state) {
    for (const Arc& arc : part.arcs[state]) add_arc(base + state, arc.low, arc.high, base + arc.target);
    if (part.accepting[state]) link(base + state, piece.end);
  }
  return piece;
}

/// Sets of states that are reached without taking anything.
struct AutomatonBuilder::Closure {
  const std::vector<State>& states;
  Budget& budget;
  std::vector<int32_t> stamp;  // of the last closure that had this state, from where on ^ no longer counts
  int32_t now = 0;
  std::vector<int32_t> open;

  Closure(const std::vector<State>& from, Budget& counted)
      : states(from), budget(counted), stamp(from.size(), 0) {}

  /// What `seeds` reach: the states with arcs (in `out`), and whether `end` is among all of them, by a way that
  /// may hold at the text's end.
  bool close(const std::vector<int32_t>& seeds, bool at_begin, int32_t end, std::vector<int32_t>& out) {
    out.clear();
    bool accepts = false;
    // Behind $ nothing may be taken any more: a second walk only asks whether the end is reached.
    std::vector<int32_t> behind_end;
    ++now;
    open.assign(seeds.begin(), seeds.end());
    for (const int32_t state : open) stamp[state] = now;
    while (!open.empty()) {
      const int32_t at = open.back();
      open.pop_back();
      budget.add_steps(1 + static_cast<int64_t>(states[at].links.size()));
      if (at == end) accepts = true;
      if (!states[at].arcs.empty()) out.push_back(at);
      for (const auto& [to, condition] : states[at].links) {
        if (condition == Condition::at_end) {
          behind_end.push_back(to);
        } else if ((condition == Condition::none || at_begin) && stamp[to] != now) {
          stamp[to] = now;
          open.push_back(to);
        }
      }
    }
    if (!accepts && !behind_end.empty()) {
      ++now;
      open = std::move(behind_end);
      for (const int32_t state : open) stamp[state] = now;
      while (!open.empty() && !accepts) {
        const int32_t at = open.back();
        open.pop_back();
        budget.add_steps(1 + static_cast<int64_t>(states[at].links.size()));
        accepts = at == end;
        for (const auto& [to, condition] : states[at].links) {
          if ((condition != Condition::at_begin || at_begin) && stamp[to] != now) {
            stamp[to] = now;
            open.push_back(to);
          }
        }
      }
    }
    std::ranges::sort(out);
    budget.add_steps(static_cast<int64_t>(out.size()) * 4);
    return accepts;
  }
};

/// The subset construction.
std::optional<Automaton> AutomatonBuilder::determinise(const Piece& whole, int64_t max_states) {
  Closure closure(states_, *budget_);
  SetTable table(*budget_);
  Automaton out;
  std::vector<int32_t> set, seeds;
  // A set's last item says whether it accepts.
  const auto add = [&](bool at_begin) {
    const bool accepts = closure.close(seeds, at_begin, whole.end, set);
    set.push_back(accepts ? -1 : -2);
    const auto [number, is_new] = table.number(set);
    if (is_new) {
      out.arcs.emplace_back();
      out.accepting.push_back(accepts ? 1 : 0);
    }
    return number;
  };
  seeds = {whole.start};
  add(true);
  std::vector<Arc> arcs;
  for (int32_t at = 0; at < table.size(); ++at) {
    if (table.size() > max_states) return std::nullopt;
    arcs.clear();
    for (const int32_t state : table[at]) {
      if (state >= 0) arcs.insert(arcs.end(), states_[state].arcs.begin(), states_[state].arcs.end());
    }
    const std::vector<int> cuts = boundaries(arcs);
    budget_->add_steps(static_cast<int64_t>(arcs.size()) + 32);
    // Each arc goes to the intervals that it covers.
    std::vector<std::vector<int32_t>> targets(cuts.size());
    std::array<int16_t, 257> place{};
    for (size_t i = 0; i < cuts.size(); ++i) place[cuts[i]] = static_cast<int16_t>(i);
    for (const Arc& arc : arcs) {
      for (int i = place[arc.low]; i < place[arc.high + 1]; ++i) {
        targets[i].push_back(arc.target);
        budget_->add_steps(1);
      }
    }
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      if (targets[i].empty()) continue;
      seeds = std::move(targets[i]);
      std::ranges::sort(seeds);
      seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
      const int32_t next = add(false);
      out.arcs[at].push_back({static_cast<uint8_t>(cuts[i]), static_cast<uint8_t>(cuts[i + 1] - 1), next});
    }
    join_arcs(out.arcs[at]);
  }
  budget_->add_states(out.size());
  return trimmed(out);
}

/// The states with arcs, each with what its targets reach.
Automaton AutomatonBuilder::without_links(const Piece& whole) {
  Closure closure(states_, *budget_);
  Automaton out;
  out.deterministic = false;
  const auto count = static_cast<int32_t>(states_.size());
  out.arcs.resize(count + 1);  // state i + 1 is the builder's state i just reached
  out.accepting.assign(count + 1, 0);
  std::vector<int32_t> set;
  for (int32_t state = -1; state < count; ++state) {
    const bool begin = state < 0;
    out.accepting[state + 1] = closure.close({begin ? whole.start : state}, begin, whole.end, set) ? 1 : 0;
    for (const int32_t other : set) {
      for (const Arc& arc : states_[other].arcs) {
        out.arcs[state + 1].push_back({arc.low, arc.high, arc.target + 1});
        budget_->add_bytes(sizeof(Arc));
      }
    }
  }
  return trimmed(out);
}

Automaton AutomatonBuilder::finish(const Piece& whole, int64_t max_states) {
  if (std::optional<Automaton> done = determinise(whole, max_states))
    return minimal(*std::move(done), *budget_);
  return without_links(whole);
}

/// Written down as it is, eight states a character: what follows the first bytes of UTF-8 (RFC 3629 section 4).
Automaton text_of_length(int64_t low, int64_t high, Budget& budget) {
  constexpr int32_t kStates = 8;
  // One more block than characters are counted; without a limit the last one leads back to itself.
  const int64_t counted = high < 0 ? low : high;
  budget.add_states((counted + 1) * kStates);
  budget.add_bytes((counted + 1) * 250);
  Automaton out;
  out.arcs.resize(static_cast<size_t>(counted + 1) * kStates);
  out.accepting.assign(out.arcs.size(), 0);
  for (int64_t count = 0; count <= counted; ++count) {
    const auto at = static_cast<int32_t>(count * kStates);
    out.accepting[at] = count >= low ? 1 : 0;
    if (count == counted && high >= 0) break;
    const int32_t next = count < counted ? at + kStates : at;
    const int32_t one = at + 1, two = at + 2, three = at + 3;  // continuation bytes to come
    const int32_t after_e0 = at + 4, after_ed = at + 5, after_f0 = at + 6, after_f4 = at + 7;
    out.arcs[at] = {{0x00, 0x7F, next},     {0xC2, 0xDF, one},      {0xE0, 0xE0, after_e0},
                    {0xE1, 0xEC, two},      {0xED, 0xED, after_ed}, {0xEE, 0xEF, two},
                    {0xF0, 0xF0, after_f0}, {0xF1, 0xF3, three},    {0xF4, 0xF4, after_f4}};
    out.arcs[one] = {{0x80, 0xBF, next}};
    out.arcs[two] = {{0x80, 0xBF, one}};
    out.arcs[three] = {{0x80, 0xBF, two}};
    out.arcs[after_e0] = {{0xA0, 0xBF, one}};
    out.arcs[after_ed] = {{0x80, 0x9F, one}};
    out.arcs[after_f0] = {{0x90, 0xBF, two}};
    out.arcs[after_f4] = {{0x80, 0x8F, two}};
  }
  return trimmed(out);
}

Automaton one_of(std::vector<std::string> texts, Budget& budget) {
  std::ranges::sort(texts);
  Automaton out;
  out.arcs.emplace_back();
  out.accepting.push_back(0);
  std::vector<int32_t> path = {0};
  std::string_view last;
  for (const std::string& text : texts) {
    size_t common = 0;
    while (common < last.size() && common < text.size() && last[common] == text[common]) ++common;
    path.resize(common + 1);
    for (size_t i = common; i < text.size(); ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      const int32_t next = out.size();
      budget.add_states(1);
      out.arcs.emplace_back();
      out.accepting.push_back(0);
      out.arcs[path.back()].push_back({byte, byte, next});
      path.push_back(next);
    }
    out.accepting[path.back()] = 1;
    last = text;
  }
  return minimal(std::move(out), budget);
}

namespace {

Automaton product(const Automaton& a, const Automaton& b, Budget& budget) {
  Automaton out;
  out.deterministic = a.deterministic && b.deterministic;
  if (a.arcs.empty() || b.arcs.empty()) return {{{}}, {0}, true};
  std::unordered_map<uint64_t, int32_t> known;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto number = [&](int32_t x, int32_t y) {
    const auto [place, is_new] = known.try_emplace(static_cast<uint64_t>(x) << 32 | static_cast<uint32_t>(y),
                                                   static_cast<int32_t>(pairs.size()));
    if (is_new) {
      budget.add_states(1);
      budget.add_bytes(80);
      pairs.push_back({x, y});
      out.arcs.emplace_back();
      out.accepting.push_back(a.accepting[x] && b.accepting[y] ? 1 : 0);
    }
    return place->second;
  };
  number(0, 0);
  for (size_t at = 0; at < pairs.size(); ++at) {
    const auto [x, y] = pairs[at];
    for (const Arc& first : a.arcs[x]) {
      for (const Arc& second : b.arcs[y]) {
        budget.add_steps(1);
        const uint8_t low = std::max(first.low, second.low), high = std::min(first.high, second.high);
        if (low > high) continue;
        const int32_t next = number(first.target, second.target);
        out.arcs[at].push_back({low, high, next});
      }
    }
    if (out.deterministic) std::ranges::sort(out.arcs[at], {}, &Arc::low);
  }
  return trimmed(out);
}

}  // namespace

Automaton intersection(const Automaton& a, const Automaton& b, Budget& budget) {
  return minimal(product(a, b, budget), budget);
}

Automaton of_length(const Automaton& automaton, int64_t low, int64_t high, Budget& budget) {
  const auto length = [&] { return text_of_length(low, high, budget); };
  if (high < 0 || automaton.size() * high <= kMaxCountedStates) return product(automaton, length(), budget);
  Automaton ascii{{{{0, 0x7F, 0}}}, {1}, true};
  Automaton narrow = intersection(automaton, ascii, budget);
  if (narrow.size() * high > kMaxCountedAsciiStates)
    throw_error(ErrorKind::invalid_argument, "too large: {} states counted to {} characters", narrow.size(),
                high);
  // Counted here: an automaton of lengths for all characters would be cut to ASCII again.
  Automaton counted;
  for (int64_t i = 0; i <= high; ++i) {
    counted.arcs.emplace_back();
    if (i < high) counted.arcs.back().push_back({0, 0x7F, static_cast<int32_t>(i + 1)});
    counted.accepting.push_back(i >= low ? 1 : 0);
  }
  return product(narrow, counted, budget);
}

Automaton difference(const Automaton& a, const Automaton& b, Budget& budget) {
  const std::optional<Automaton> other = deterministic_form(b, kMaxDeterministicStates, budget);
  if (!other)
    throw_error(ErrorKind::unsupported, "the opposite of this expression needs more than {} states",
                kMaxDeterministicStates);
  if (other->arcs.empty() || a.arcs.empty()) return a;
  Automaton out;
  out.deterministic = a.deterministic;
  std::unordered_map<uint64_t, int32_t> known;
  std::vector<std::pair<int32_t, int32_t>> pairs;  // -1: b has nothing any more
  const auto number = [&](int32_t x, int32_t y) {
    const auto [place, is_new] = known.try_emplace(static_cast<uint64_t>(x) << 32 | static_cast<uint32_t>(y),
                                                   static_cast<int32_t>(pairs.size()));
    if (is_new) {
      budget.add_states(1);
      budget.add_bytes(80);
      pairs.push_back({x, y});
      out.arcs.emplace_back();
      out.accepting.push_back(a.accepting[x] && (y < 0 || !other->accepting[y]) ? 1 : 0);
    }
    return place->second;
  };
  number(0, 0);
  for (size_t at = 0; at < pairs.size(); ++at) {
    const auto [x, y] = pairs[at];
    for (const Arc& first : a.arcs[x]) {
      int low = first.low;
      const auto add = [&](int to, int32_t target) {
        if (low > to) return;
        const int32_t next = number(first.target, target);
        out.arcs[at].push_back({static_cast<uint8_t>(low), static_cast<uint8_t>(to), next});
        low = to + 1;
      };
      if (y >= 0) {
        for (const Arc& second : other->arcs[y]) {
          budget.add_steps(1);
          if (second.high < low || second.low > first.high) continue;
          add(second.low - 1, -1);
          add(std::min(second.high, first.high), second.target);
        }
      }
      add(first.high, -1);
    }
    if (out.deterministic) std::ranges::sort(out.arcs[at], {}, &Arc::low);
  }
  return minimal(trimmed(out), budget);
}

Automaton united(const Automaton& a, const Automaton& b, Budget& budget) {
  AutomatonBuilder builder(budget);
  const AutomatonBuilder::Piece whole{builder.add_state(), builder.add_state()};
  for (const Automaton* part : {&a, &b}) {
    const AutomatonBuilder::Piece piece = builder.automaton(*part);
    builder.link(whole.start, piece.start);
    builder.link(piece.end, whole.end);
  }
  return builder.finish(whole, kMaxDeterministicStates);
}

std::optional<std::vector<std::string>> enumerate(const Automaton& automaton, size_t limit) {
  std::vector<std::string> texts;
  if (automaton.empty()) return texts;
  if (!automaton.deterministic) return std::nullopt;
  // Depth first; a state that is met again below itself lies on a circle.
  std::vector<char> on_path(automaton.size(), 0);
  std::string text;
  bool finite = true;
  size_t steps = 0;
  const auto walk = [&](const auto& self, int32_t state) -> void {
    if (!finite || texts.size() > limit || ++steps > limit * 1000) {
      finite = false;
      return;
    }
    if (on_path[state] || text.size() > 1000) {
      finite = false;
      return;
    }
    on_path[state] = 1;
    if (automaton.accepting[state]) texts.push_back(text);
    for (const Arc& arc : automaton.arcs[state]) {
      for (int byte = arc.low; byte <= arc.high && finite; ++byte) {
        text.push_back(static_cast<char>(byte));
        self(self, arc.target);
        text.pop_back();
      }
    }
    on_path[state] = 0;
  };
  walk(walk, 0);
  if (!finite || texts.size() > limit) return std::nullopt;
  return texts;
}

}  // namespace r1::grammar
