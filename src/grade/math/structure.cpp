#include "grade/math/structure.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "grade/math/evaluate.h"
#include "grade/math/intervals.h"

namespace r1::grade::math {
namespace {

constexpr size_t kMaxParts = 60;

Equivalence all_of(Equivalence a, Equivalence b) {
  if (a == Equivalence::different || b == Equivalence::different) return Equivalence::different;
  return a == Equivalence::equal ? b : a;
}

Equivalence compare_in_order(const std::vector<Node>& a, const std::vector<Node>& b, Budget& budget) {
  if (a.size() != b.size()) return Equivalence::different;
  Equivalence result = Equivalence::equal;
  for (size_t i = 0; i < a.size() && result != Equivalence::different; ++i) {
    result = all_of(result, compare_nodes(a[i], b[i], budget));
  }
  return result;
}

/// Each part of `a` has one of its own in `b`. Equality is transitive but for rounded decimals, so that taking the
/// first that fits is enough.
Equivalence compare_in_any_order(const std::vector<Node>& a, const std::vector<Node>& b, Budget& budget) {
  if (a.size() != b.size()) return Equivalence::different;
  if (a.size() > kMaxParts) return compare_in_order(a, b, budget);
  std::vector<bool> used(b.size(), false);
  bool unknown = false;
  for (const Node& part : a) {
    bool found = false;
    for (size_t i = 0; i < b.size() && !found; ++i) {
      if (used[i]) continue;
      const Equivalence result = compare_nodes(part, b[i], budget);
      unknown |= result == Equivalence::unknown;
      if (result == Equivalence::equal) used[i] = found = true;
    }
    if (!found) return unknown ? Equivalence::unknown : Equivalence::different;
  }
  return Equivalence::equal;
}

// --- ± -------------------------------------------------------------------------------------------------------------

bool has_plus_minus(const Node& node) {
  return node->kind == Kind::plus_minus ||
         std::any_of(node->children.begin(), node->children.end(), has_plus_minus);
}

/// The node with every ± read as + (upper) or as -.
Node with_sign(const Node& node, bool upper) {
  Expression copy = *node;
  for (Node& child : copy.children) child = with_sign(child, upper);
  if (node->kind != Kind::plus_minus) return std::make_shared<const Expression>(std::move(copy));
  const bool plus = (node->name == "+") == upper;
  if (copy.children.size() == 1) return plus ? copy.children[0] : make(Kind::negate, {copy.children[0]});
  return make(Kind::add,
              {copy.children[0], plus ? copy.children[1] : make(Kind::negate, {copy.children[1]})});
}

/// The items of a list with each ± as two items.
std::vector<Node> expand_items(const std::vector<Node>& items) {
  std::vector<Node> expanded;
  for (const Node& item : items) {
    if (has_plus_minus(item)) {
      expanded.push_back(with_sign(item, true));
      expanded.push_back(with_sign(item, false));
    } else {
      expanded.push_back(item);
    }
  }
  return expanded;
}

// --- relations -----------------------------------------------------------------------------------------------------

bool is_name(const Node& node) {
  return node->kind == Kind::symbol || node->kind == Kind::text ||
         (node->kind == Kind::function && (node->name == "f" || node->name == "g" || node->name == "h")) ||
         (node->kind == Kind::multiply && node->children.size() == 2 && is_name(node->children[0]) &&
          is_name(node->children[1]));
}

/// "5" of "x = 5" (the last side of a chain "x = 2 + 3 = 5"); "{1, 2}" of "x \in \{1, 2\}"; null: no such form.
Node value_of_definition(const Node& node) {
  if (node->kind != Kind::relation) return nullptr;
  const bool defines = std::all_of(
      node->operators.begin(), node->operators.end(),
      [](const std::string& sign) { return sign == "=" || sign == "in" || sign == "to" || sign == ":"; });
  if (!defines || !is_name(node->children[0])) return nullptr;
  return node->children.back();
}

/// "6 \\cdot 7" of "6 \\cdot 7 = 42": the value of a chain of numbers that are equal; null: no such chain.
Node value_of_chain(const Node& node, Budget& budget) {
  if (node->kind != Kind::relation || is_name(node->children[0])) return nullptr;
  for (size_t i = 1; i < node->children.size(); ++i) {
    if (node->operators[i - 1] != "=" ||
        compare_nodes(node->children[0], node->children[i], budget) != Equivalence::equal)
      return nullptr;
  }
  return node->children[0];
}

bool is_order(const std::string& sign) {
  return sign == "<" || sign == ">" || sign == "<=" || sign == ">=";
}

/// All relations of a chain in ascending order: b > a > c as c < a < b.
Node ascending(const Node& node) {
  const bool descends = std::all_of(node->operators.begin(), node->operators.end(),
                                    [](const std::string& sign) { return sign == ">" || sign == ">="; });
  if (!descends) return node;
  Expression copy = *node;
  std::reverse(copy.children.begin(), copy.children.end());
  std::reverse(copy.operators.begin(), copy.operators.end());
  for (std::string& sign : copy.operators) sign = sign == ">" ? "<" : "<=";
  return std::make_shared<const Expression>(std::move(copy));
}

/// Two equations whose differences of sides are multiples of each other; for inequalities positive ones.
Equivalence compare_differences(const Node& a, const Node& b, bool must_be_positive, Budget& budget) {
  const auto difference = [](const Node& node) {
    return make(Kind::add, {node->children[0], make(Kind::negate, {node->children[1]})});
  };
  const Node first = difference(a), second = difference(b);
  std::optional<Complex> ratio;
  int agreed = 0;
  for (const Point point : {Point::real_a, Point::real_b, Point::unit_a, Point::unit_b}) {
    const std::optional<Complex> x = value_at(first, point, budget), y = value_at(second, point, budget);
    if (!x || !y) continue;
    if (x->re.is_zero() && x->im.is_zero() && y->re.is_zero() && y->im.is_zero()) continue;
    const Complex quotient = *x / *y;
    if (!quotient.is_finite()) return Equivalence::different;
    if (ratio && !nearly_equal(*ratio, quotient)) return Equivalence::different;
    if (must_be_positive && !(quotient.is_real() && quotient.re.sign() > 0)) return Equivalence::different;
    ratio = quotient;
    ++agreed;
  }
  if (agreed < 2) return Equivalence::unknown;
  return ratio->re.is_zero() && ratio->im.is_zero() ? Equivalence::different : Equivalence::equal;
}

Equivalence compare_relations(const Node& reference, const Node& answer, Budget& budget) {
  const Node a = ascending(reference), b = ascending(answer);
  if (a->operators.size() != b->operators.size()) {
    // "S = 2 + 3 = 5" beside "S = 5"
    const Node x = value_of_definition(a), y = value_of_definition(b);
    return x && y ? compare_nodes(x, y, budget) : Equivalence::different;
  }
  if (a->operators.size() == 1 && a->operators == b->operators &&
      (a->operators[0] == "=" || is_order(a->operators[0]))) {
    const bool order = a->operators[0] != "=";
    const bool simple = std::none_of(a->children.begin(), a->children.end(), has_plus_minus) &&
                        std::none_of(b->children.begin(), b->children.end(), has_plus_minus);
    if (simple) {
      const Equivalence result = compare_differences(a, b, order, budget);
      if (result != Equivalence::unknown) return result;
    }
  }
  if (a->operators != b->operators) return Equivalence::different;
  return compare_in_order(a->children, b->children, budget);
}

// --- helpers -------------------------------------------------------------------------------------------------------

bool is_collection(const Node& node) {
  return node->kind == Kind::list || node->kind == Kind::tuple || node->kind == Kind::set;
}

Node without_unit(const Node& node) {
  return node->kind == Kind::unit || node->kind == Kind::degrees ? node->children[0] : node;
}

/// A unit's name without case, plural, powers' signs and spaces: enough to tell metres from litres.
std::string unit_name(const Node& node) {
  std::string name;
  for (const char c : node->name) {
    if (c != ' ' && c != '.' && c != '^') name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  if (name.size() > 3 && name.back() == 's') name.pop_back();
  return name;
}

Equivalence compare_percent(const Node& reference, const Node& answer, Budget& budget) {
  // "10%" beside "10" and beside "0.1": which of the two is meant depends on the question.
  const bool on_left = reference->kind == Kind::percent;
  const Node& percent = on_left ? reference : answer;
  const Node& other = on_left ? answer : reference;
  const Equivalence share = compare_values(percent, other, budget);
  return share == Equivalence::equal ? share : compare_values(percent->children[0], other, budget);
}

Equivalence compare_text(const Node& reference, const Node& answer) {
  const auto letters = [](const std::string& text) {
    std::string kept;
    for (const char c : text) {
      if (c != ' ' && c != '.' && c != ',' && c != '-')
        kept += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return kept;
  };
  return letters(reference->name) == letters(answer->name) ? Equivalence::equal : Equivalence::different;
}

}  // namespace

Equivalence compare_nodes(const Node& reference, const Node& answer, Budget& budget) {
  budget.spend(10);
  const Node& a = reference;
  const Node& b = answer;

  // ± stands for two answers.
  if (has_plus_minus(a) || has_plus_minus(b)) {
    const auto items = [](const Node& node) {
      return expand_items(is_collection(node) ? node->children : std::vector<Node>{node});
    };
    const bool ordered = a->kind == Kind::tuple && b->kind == Kind::tuple;
    return ordered ? compare_in_order(expand_items(a->children), expand_items(b->children), budget)
                   : compare_in_any_order(items(a), items(b), budget);
  }

  // Unions, intervals, sets and inequalities of one variable as sets of numbers.
  if (const std::optional<Equivalence> result = compare_number_sets(a, b, budget)) return *result;

  if (a->kind == Kind::relation && b->kind == Kind::relation) return compare_relations(a, b, budget);
  if (a->kind == Kind::relation || b->kind == Kind::relation) {
    const Node value_a = value_of_definition(a), value_b = value_of_definition(b);
    if (const Node chain = value_of_chain(b, budget); chain && a->kind != Kind::relation)
      return compare_nodes(a, chain, budget);
    if (value_a && !value_b) return compare_nodes(value_a, b, budget);
    if (value_b && !value_a) return compare_nodes(a, value_b, budget);
    if (a->kind == Kind::relation && a->operators == std::vector<std::string>{":"}) {  // 1:9 beside 1/9
      return compare_nodes(make(Kind::divide, a->children), b, budget);
    }
    if (b->kind == Kind::relation && b->operators == std::vector<std::string>{":"}) {
      return compare_nodes(a, make(Kind::divide, b->children), budget);
    }
    return Equivalence::different;
  }

  if (a->kind == Kind::matrix && b->kind == Kind::matrix) {
    return a->columns == b->columns ? compare_in_order(a->children, b->children, budget)
                                    : Equivalence::different;
  }
  if (a->kind == Kind::matrix || b->kind == Kind::matrix) {  // a column or row beside a tuple
    const Node& matrix = a->kind == Kind::matrix ? a : b;
    const Node& other = a->kind == Kind::matrix ? b : a;
    const bool is_vector = matrix->columns == 1 || matrix->columns == std::ssize(matrix->children);
    if (!is_vector || (other->kind != Kind::tuple && other->kind != Kind::list))
      return Equivalence::different;
    return compare_in_order(a->children, b->children, budget);
  }

  if (is_collection(a) && is_collection(b)) {
    // A tuple beside a tuple keeps its order; so does a list beside a tuple.
    if (a->kind == Kind::tuple || b->kind == Kind::tuple) {
      if (a->kind == Kind::set || b->kind == Kind::set) return Equivalence::different;
      if (a->kind == Kind::tuple && b->kind == Kind::tuple && a->name != b->name)
        return Equivalence::different;
      return compare_in_order(a->children, b->children, budget);
    }
    if (a->kind == Kind::set && b->kind == Kind::set)
      return compare_in_any_order(a->children, b->children, budget);
    return compare_in_any_order(a->children, b->children, budget);
  }
  if (is_collection(a) || is_collection(b)) {  // {5} beside 5
    const Node& collection = is_collection(a) ? a : b;
    if (collection->children.size() != 1) return Equivalence::different;
    return is_collection(a) ? compare_nodes(a->children[0], b, budget)
                            : compare_nodes(a, b->children[0], budget);
  }

  if (a->kind == Kind::text && b->kind == Kind::text) return compare_text(a, b);
  if (a->kind == Kind::unit && b->kind == Kind::unit && a->children[0]->kind != Kind::text) {
    // Different units of equal numbers are different answers, unless a name is only written otherwise.
    const std::string x = unit_name(a), y = unit_name(b);
    const bool alike = x == y || x.starts_with(y) || y.starts_with(x) || x.size() > 2 || y.size() > 2;
    return alike ? compare_nodes(a->children[0], b->children[0], budget) : Equivalence::different;
  }
  if (a->kind == Kind::unit || b->kind == Kind::unit || a->kind == Kind::degrees ||
      b->kind == Kind::degrees) {
    const Node x = without_unit(a), y = without_unit(b);
    const Equivalence plain = compare_nodes(x, y, budget);
    if (plain == Equivalence::equal || (a->kind == Kind::degrees) == (b->kind == Kind::degrees)) return plain;
    // 90° beside π/2
    const auto radians = [](const Node& node) {
      if (node->kind != Kind::degrees) return node;
      return make(Kind::divide, {make(Kind::multiply, {node->children[0], make(Kind::symbol, {}, "\\pi")}),
                                 make_number(180)});
    };
    return compare_values(radians(a), radians(b), budget);
  }
  if ((a->kind == Kind::percent) != (b->kind == Kind::percent)) return compare_percent(a, b, budget);
  if (a->kind == Kind::infinity || b->kind == Kind::infinity) {
    return a->kind == b->kind ? Equivalence::equal : Equivalence::different;
  }
  if (a->kind == Kind::negate && b->kind == Kind::negate)
    return compare_nodes(a->children[0], b->children[0], budget);
  if (a->kind == Kind::based || b->kind == Kind::based) {
    // "52_8" beside "52": the base is often left out; beside another base it counts.
    if (a->kind == b->kind) {
      return a->name == b->name ? compare_values(a->children[0], b->children[0], budget)
                                : Equivalence::different;
    }
    const Node& based = a->kind == Kind::based ? a : b;
    const Node& other = a->kind == Kind::based ? b : a;
    return other->kind == Kind::number && other->name == based->name ? Equivalence::equal
                                                                     : Equivalence::different;
  }
  return compare_values(a, b, budget);
}

}  // namespace r1::grade::math
