#include "grade/math/intervals.h"

#include <algorithm>
#include <vector>

#include "grade/math/evaluate.h"

namespace r1::grade::math {
namespace {

struct Interval {
  Node low, high;  // null: without end
  bool low_closed = false, high_closed = false;
};

using Intervals = std::vector<Interval>;

bool is_negative_infinity(const Node& node) {
  return node->kind == Kind::negate && node->children[0]->kind == Kind::infinity;
}

Node finite_end(const Node& node) {
  return node->kind == Kind::infinity || is_negative_infinity(node) ? nullptr : node;
}

bool is_variable(const Node& node) {
  return node->kind == Kind::symbol && node->name != "\\pi" && node->name != "e" && node->name != "i";
}

bool is_order(const std::string& sign) {
  return sign == "<" || sign == ">" || sign == "<=" || sign == ">=";
}

/// x > 3, -2 <= x < 7, x \in [1, 2), x \ne 0.
std::optional<Intervals> of_relation(const Node& node);

/// `written` is set where a notation was met that means a set of numbers for certain.
std::optional<Intervals> read(const Node& node, bool& written) {
  switch (node->kind) {
    case Kind::tuple: {
      if (node->children.size() != 2) return std::nullopt;
      const bool open_low = node->name[0] == '(', open_high = node->name[1] == ')';
      const bool has_infinity = node->children[0]->kind == Kind::infinity ||
                                is_negative_infinity(node->children[0]) ||
                                node->children[1]->kind == Kind::infinity;
      if (!(open_low && open_high) || has_infinity) written = true;
      return Intervals{{finite_end(node->children[0]), finite_end(node->children[1]), !open_low, !open_high}};
    }
    case Kind::set: {
      Intervals points;
      for (const Node& child : node->children) points.push_back({child, child, true, true});
      return points;
    }
    case Kind::unite: {
      written = true;
      Intervals all;
      for (const Node& child : node->children) {
        const std::optional<Intervals> part = read(child, written);
        if (!part) return std::nullopt;
        all.insert(all.end(), part->begin(), part->end());
      }
      return all;
    }
    case Kind::set_builder:
      written = true;
      return read(node->children[1], written);
    case Kind::relation: {
      std::optional<Intervals> intervals = of_relation(node);
      if (intervals) written = true;
      return intervals;
    }
    case Kind::list: {  // "x < 1 or x > 3"
      Intervals all;
      for (const Node& child : node->children) {
        if (child->kind != Kind::relation) return std::nullopt;
        const std::optional<Intervals> part = of_relation(child);
        if (!part) return std::nullopt;
        all.insert(all.end(), part->begin(), part->end());
      }
      written = true;
      return all;
    }
    case Kind::symbol:
      if (node->name == "\\mathbbR") {
        written = true;
        return Intervals{{nullptr, nullptr, false, false}};
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<Intervals> of_relation(const Node& node) {
  const auto& sides = node->children;
  const auto& signs = node->operators;
  if (signs.size() == 1 && signs[0] == "in" && is_variable(sides[0])) {
    bool written = false;
    return read(sides[1], written);
  }
  if (signs.size() == 1 && signs[0] == "!=" && is_variable(sides[0])) {
    return Intervals{{nullptr, sides[1], false, false}, {sides[1], nullptr, false, false}};
  }
  if (!std::all_of(signs.begin(), signs.end(), is_order)) return std::nullopt;
  const auto rises = [](const std::string& sign) { return sign[0] == '<'; };
  const auto closed = [](const std::string& sign) { return sign.size() == 2; };
  if (signs.size() == 1) {
    const bool variable_left = is_variable(sides[0]) && !is_variable(sides[1]);
    const bool variable_right = is_variable(sides[1]) && !is_variable(sides[0]);
    if (!variable_left && !variable_right) return std::nullopt;
    const Node bound = variable_left ? sides[1] : sides[0];
    const bool below = rises(signs[0]) == variable_left;  // the variable is below the bound
    return below ? Intervals{{nullptr, finite_end(bound), false, closed(signs[0])}}
                 : Intervals{{finite_end(bound), nullptr, closed(signs[0]), false}};
  }
  if (signs.size() == 2 && is_variable(sides[1]) && rises(signs[0]) == rises(signs[1]) &&
      !is_variable(sides[0]) && !is_variable(sides[2])) {
    Interval interval{finite_end(sides[0]), finite_end(sides[2]), closed(signs[0]), closed(signs[1])};
    if (!rises(signs[0])) {
      std::swap(interval.low, interval.high);
      std::swap(interval.low_closed, interval.high_closed);
    }
    return Intervals{interval};
  }
  return std::nullopt;
}

/// Order of two ends by value; nothing where they cannot be compared.
std::optional<int> order(const Node& a, const Node& b, Budget& budget) {
  const std::optional<Complex> x = value_at(a, Point::real_a, budget), y = value_at(b, Point::real_a, budget);
  if (!x || !y || !x->is_real() || !y->is_real()) return std::nullopt;
  if (nearly_equal(*x, *y)) return 0;
  return mpfr_cmp(x->re.get(), y->re.get());
}

/// Sorted by their lower ends, touching ones joined. False: ends that cannot be compared.
bool normalise(Intervals& intervals, Budget& budget) {
  if (intervals.size() > 64) return false;
  bool comparable = true;
  const auto before = [&](const Interval& a, const Interval& b) {
    if (!a.low || !b.low) return !a.low && b.low != nullptr;
    const std::optional<int> sign = order(a.low, b.low, budget);
    if (!sign) comparable = false;
    return sign ? *sign < 0 || (*sign == 0 && a.low_closed && !b.low_closed) : false;
  };
  for (size_t i = 1; i < intervals.size(); ++i) {  // few: insertion, and `before` need not be a strict order
    for (size_t j = i; j > 0 && before(intervals[j], intervals[j - 1]); --j)
      std::swap(intervals[j], intervals[j - 1]);
  }
  if (!comparable) return false;
  Intervals joined;
  for (const Interval& next : intervals) {
    if (!joined.empty()) {
      Interval& last = joined.back();
      const std::optional<int> gap =
          !last.high || !next.low ? std::optional<int>(-1) : order(next.low, last.high, budget);
      if (!gap) return false;
      if (*gap < 0 || (*gap == 0 && (next.low_closed || last.high_closed))) {
        const std::optional<int> reach = !last.high   ? std::optional<int>(-1)
                                         : !next.high ? std::optional<int>(1)
                                                      : order(next.high, last.high, budget);
        if (!reach) return false;
        if (*reach > 0) last.high = next.high, last.high_closed = next.high_closed;
        if (*reach == 0) last.high_closed |= next.high_closed;
        continue;
      }
    }
    joined.push_back(next);
  }
  intervals = std::move(joined);
  return true;
}

Equivalence compare_ends(const Node& a, const Node& b, Budget& budget) {
  if (!a || !b) return !a && !b ? Equivalence::equal : Equivalence::different;
  return compare_values(a, b, budget);
}

}  // namespace

std::optional<Equivalence> compare_number_sets(const Node& reference, const Node& answer, Budget& budget) {
  bool written = false;
  const auto is_tuple = [](const Node& node) { return node->kind == Kind::tuple; };
  std::optional<Intervals> a = read(reference, written), b = read(answer, written);
  if (!a || !b || !written) return std::nullopt;
  // Two pairs in round brackets may be points as well: they are equal in either reading or in none.
  if (is_tuple(reference) && is_tuple(answer) && reference->name != answer->name)
    return Equivalence::different;
  if (!normalise(*a, budget) || !normalise(*b, budget)) return std::nullopt;
  if (a->size() != b->size()) return Equivalence::different;
  for (size_t i = 0; i < a->size(); ++i) {
    const Interval &x = (*a)[i], &y = (*b)[i];
    if (x.low && x.low_closed != y.low_closed) return Equivalence::different;
    if (x.high && x.high_closed != y.high_closed) return Equivalence::different;
    const Equivalence low = compare_ends(x.low, y.low, budget), high = compare_ends(x.high, y.high, budget);
    if (low != Equivalence::equal) return low;
    if (high != Equivalence::equal) return high;
  }
  return Equivalence::equal;
}

}  // namespace r1::grade::math
