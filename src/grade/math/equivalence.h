// Whether two mathematical answers say the same.
//
// Method: the answers are read as trees (parser.h); numbers are compared exactly as rationals; other expressions in
// high precision at several values of their symbols; sets, tuples, intervals, equations and matrices part by part.
// "1,234" is tried as one number and as two, the same on both sides.
#pragma once

#include <string_view>

#include "grade/math/expression.h"

namespace r1::grade::math {

enum class Equivalence { equal, different, unknown };

/// `reference` is the right answer. Any texts; never throws for their contents; ends within some milliseconds.
/// unknown: one of them cannot be read, or the budget did not suffice.
Equivalence compare_answers(std::string_view reference, std::string_view answer);

/// Whether two expressions, neither of them a list or a set, have the same value.
Equivalence compare_values(const Node& reference, const Node& answer, Budget& budget);

}  // namespace r1::grade::math
