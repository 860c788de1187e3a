// Minimisation, after A. Valmari, Fast brief practical DFA minimization (Information Processing Letters 112, 2012),
// and the byte ranges of UTF-8.
#include <algorithm>
#include <array>
#include <numeric>

#include "grammar/automaton.h"

namespace r1::grammar {
namespace {

/// A partition of 0 … n - 1 that is refined: elements are marked, then each set with marked and unmarked ones is
/// split.
class Partition {
 public:
  explicit Partition(int32_t count)
      : elements(count),
        place(count),
        set_of(count, 0),
        first(count + 1, 0),
        past(count + 1, 0),
        marked(count + 1, 0),
        sets(count > 0 ? 1 : 0) {
    std::iota(elements.begin(), elements.end(), 0);
    std::iota(place.begin(), place.end(), 0);
    if (count > 0) past[0] = count;
  }
  void mark(int32_t element) {
    const int32_t set = set_of[element], from = place[element], to = first[set] + marked[set];
    if (from < to) return;  // marked already
    elements[from] = elements[to];
    place[elements[from]] = from;
    elements[to] = element;
    place[element] = to;
    if (marked[set]++ == 0) touched.push_back(set);
  }
  void split() {
    while (!touched.empty()) {
      const int32_t set = touched.back();
      touched.pop_back();
      const int32_t middle = first[set] + marked[set];
      if (middle != past[set]) {
        if (marked[set] <= past[set] - middle) {
          first[sets] = first[set];
          past[sets] = first[set] = middle;
        } else {
          past[sets] = past[set];
          first[sets] = past[set] = middle;
        }
        for (int32_t i = first[sets]; i < past[sets]; ++i) set_of[elements[i]] = sets;
        marked[sets] = 0;
        ++sets;
      }
      marked[set] = 0;
    }
  }

  std::vector<int32_t> elements, place, set_of, first, past, marked, touched;
  int32_t sets;
};

}  // namespace

Automaton minimal(Automaton automaton, Budget& budget) {
  if (!automaton.deterministic || automaton.size() < 2) return automaton;
  // Arcs are cut so that each covers whole classes of bytes; one label a class.
  std::array<bool, 257> begins{};
  for (const auto& arcs : automaton.arcs) {
    for (const Automaton::Arc& arc : arcs) begins[arc.low] = begins[arc.high + 1] = true;
  }
  std::array<int, 257> label{};
  int labels = 0;
  for (int byte = 0; byte <= 256; ++byte) {
    if (begins[byte]) ++labels;
    label[byte] = labels;
  }
  struct Transition {
    int32_t from, label, to;
  };
  std::vector<Transition> transitions;
  for (int32_t state = 0; state < automaton.size(); ++state) {
    for (const Automaton::Arc& arc : automaton.arcs[state]) {
      for (int one = label[arc.low]; one <= label[arc.high]; ++one)
        transitions.push_back({state, one, arc.target});
    }
    budget.add_steps(static_cast<int64_t>(automaton.arcs[state].size()) + 1);
  }
  const auto count = static_cast<int32_t>(transitions.size());
  budget.add_steps(static_cast<int64_t>(count) * 8);
  {
    std::vector<int32_t> begin(labels + 2, 0);
    for (const Transition& one : transitions) ++begin[one.label + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<Transition> sorted(transitions.size());
    for (const Transition& one : transitions) sorted[begin[one.label]++] = one;
    transitions = std::move(sorted);
  }

  Partition blocks(automaton.size()), cords(count);
  for (int32_t state = 0; state < automaton.size(); ++state) {
    if (automaton.accepting[state]) blocks.mark(state);
  }
  blocks.split();
  if (count > 0) {
    cords.sets = 0;
    cords.first.assign(count + 1, 0);
    for (int32_t i = 0; i < count; ++i) {
      if (i == 0 || transitions[i].label != transitions[i - 1].label) {
        cords.first[cords.sets] = i;
        ++cords.sets;
      }
      cords.past[cords.sets - 1] = i + 1;
      cords.set_of[i] = cords.sets - 1;
    }
  }
  std::vector<int32_t> into_begin(automaton.size() + 1, 0), into(count);  // transitions by their target
  for (const Transition& one : transitions) ++into_begin[one.to + 1];
  std::partial_sum(into_begin.begin(), into_begin.end(), into_begin.begin());
  std::vector<int32_t> fill(into_begin.begin(), into_begin.end() - 1);
  for (int32_t i = 0; i < count; ++i) into[fill[transitions[i].to]++] = i;

  for (int32_t block = 1, cord = 0; cord < cords.sets; ++cord) {
    budget.add_steps(cords.past[cord] - cords.first[cord] + 1);
    for (int32_t i = cords.first[cord]; i < cords.past[cord]; ++i)
      blocks.mark(transitions[cords.elements[i]].from);
    blocks.split();
    for (; block < blocks.sets; ++block) {
      for (int32_t i = blocks.first[block]; i < blocks.past[block]; ++i) {
        const int32_t state = blocks.elements[i];
        budget.add_steps(into_begin[state + 1] - into_begin[state] + 1);
        for (int32_t j = into_begin[state]; j < into_begin[state + 1]; ++j) cords.mark(into[j]);
      }
      cords.split();
    }
  }

  // The start's block becomes state 0.
  std::vector<int32_t> renamed(blocks.sets, -1);
  int32_t next = 0;
  renamed[blocks.set_of[0]] = next++;
  for (int32_t block = 0; block < blocks.sets; ++block) {
    if (renamed[block] < 0) renamed[block] = next++;
  }
  Automaton out;
  out.arcs.resize(blocks.sets);
  out.accepting.resize(blocks.sets, 0);
  for (int32_t block = 0; block < blocks.sets; ++block) {
    const int32_t state = blocks.elements[blocks.first[block]], name = renamed[block];
    out.accepting[name] = automaton.accepting[state];
    for (const Automaton::Arc& arc : automaton.arcs[state]) {
      const int32_t target = renamed[blocks.set_of[arc.target]];
      std::vector<Automaton::Arc>& arcs = out.arcs[name];
      if (!arcs.empty() && arcs.back().target == target && arcs.back().high + 1 == arc.low) {
        arcs.back().high = arc.high;
      } else {
        arcs.push_back({arc.low, arc.high, target});
      }
    }
  }
  return out;
}

/// Cuts the range where the encoding's length changes, then where a leading part of the bytes stops being a
/// product of byte ranges.
std::vector<Utf8Range> utf8_ranges(char32_t low, char32_t high) {
  std::vector<Utf8Range> out;
  const auto add = [&](const auto& self, char32_t from, char32_t to) -> void {
    if (from > to) return;
    for (const char32_t limit : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
      if (from <= limit && to > limit) {
        self(self, from, limit);
        self(self, limit + 1, to);
        return;
      }
    }
    const int length = to <= 0x7F ? 1 : to <= 0x7FF ? 2 : to <= 0xFFFF ? 3 : 4;
    for (int tail = 1; tail < length; ++tail) {
      const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
      if ((from & ~mask) == (to & ~mask)) continue;
      if ((from & mask) != 0) {
        self(self, from, from | mask);
        self(self, (from | mask) + 1, to);
        return;
      }
      if ((to & mask) != mask) {
        self(self, from, (to & ~mask) - 1);
        self(self, to & ~mask, to);
        return;
      }
    }
    constexpr std::array<uint8_t, 5> kLead = {0, 0, 0xC0, 0xE0, 0xF0};
    Utf8Range range{};
    range.length = length;
    for (int i = 0; i < length; ++i) {
      const int shift = 6 * (length - 1 - i);
      const auto byte = [&](char32_t value) {
        if (length == 1) return static_cast<uint8_t>(value);
        if (i == 0) return static_cast<uint8_t>(kLead[length] | (value >> shift));
        return static_cast<uint8_t>(0x80 | ((value >> shift) & 0x3F));
      };
      range.low[i] = byte(from);
      range.high[i] = byte(to);
    }
    out.push_back(range);
  };
  add(add, low, high);
  return out;
}

}  // namespace r1::grammar
