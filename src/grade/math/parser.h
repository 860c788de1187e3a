// Reads a mathematical answer: numbers, formulas, tuples, sets, intervals, equations, matrices, units.
#pragma once

#include <optional>
#include <string_view>

#include "grade/math/expression.h"

namespace r1::grade::math {

/// How to read what is written in more than one way.
struct Reading {
  bool grouped_thousands = true;  // "1,234" is one number, not two
};

/// Null where the text is no mathematics that is known here. Throws BudgetExceeded.
Node parse(std::string_view text, const Reading& reading, Budget& budget);

}  // namespace r1::grade::math
