// Comparison of answers that have parts: lists, tuples, sets, intervals, equations, inequalities, matrices.
#pragma once

#include "grade/math/equivalence.h"

namespace r1::grade::math {

/// Whether two answers of any kind say the same.
Equivalence compare_nodes(const Node& reference, const Node& answer, Budget& budget);

}  // namespace r1::grade::math
