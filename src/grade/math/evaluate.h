// The value of an expression: exactly, or in high precision at chosen values of its symbols.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "grade/math/complex.h"
#include "grade/math/expression.h"

namespace r1::grade::math {

/// Where expressions with symbols are compared. The same symbol has the same value on both sides.
enum class Point { real_a, real_b, unit_a, unit_b, whole_a, whole_b, whole_c, whole_d };

/// The exact rational value; nothing where it is not rational, has symbols, or would be too large.
std::optional<mpq_class> exact_value(const Node& node, Budget& budget);

/// The value at a point; nothing where the expression has no value there or its kind has none (sets, text).
std::optional<Complex> value_at(const Node& node, Point point, Budget& budget);

/// Names of the symbols without a fixed value, unknown functions included.
void collect_symbols(const Node& node, std::set<std::string>& symbols);

/// Whether the expression is meant for whole numbers: floor, factorial, binomial, a negative base.
bool wants_whole_numbers(const Node& node);

}  // namespace r1::grade::math
