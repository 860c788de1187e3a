// The value of a calculation written as text.
#pragma once

#include <optional>
#include <string_view>

namespace r1::grade {

/// Sums, products, powers, brackets (at most 32 deep) and decimals, with + - × * ÷ / ^. Nothing for any other text.
std::optional<double> calculate(std::string_view text);

/// The same number within 1e-9, relative: numbers of exercises are far below 2^53.
bool is_equal(double a, double b);

}  // namespace r1::grade
