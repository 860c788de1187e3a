// Sets of real numbers: intervals, unions, finite sets, inequalities of one variable.
#pragma once

#include <optional>

#include "grade/math/equivalence.h"

namespace r1::grade::math {

/// Nothing where the two are no sets of numbers of which at least one is written with an interval, a union, an
/// inequality or a condition.
std::optional<Equivalence> compare_number_sets(const Node& reference, const Node& answer, Budget& budget);

}  // namespace r1::grade::math
