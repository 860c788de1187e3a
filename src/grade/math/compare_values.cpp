// Numbers and formulas: exact, then at several points, then as decimals that were rounded.
#include <algorithm>

#include "grade/math/equivalence.h"
#include "grade/math/evaluate.h"

namespace r1::grade::math {
namespace {

/// Whether `decimal`, an answer of at least four significant digits, is `value` rounded or cut to its digits.
bool is_rounding_of(const Node& decimal, const Complex& value) {
  const Node& number = decimal->kind == Kind::negate ? decimal->children[0] : decimal;
  if (number->kind != Kind::number || !number->decimal || number->significant < 4 || !value.is_real())
    return false;
  Real written;
  mpfr_set_q(written.get(), number->value.get_mpq_t(), MPFR_RNDN);
  if (decimal->kind == Kind::negate) written = -written;
  const size_t point = number->name.find('.');
  const long decimals = point == std::string::npos ? 0 : static_cast<long>(number->name.size() - point - 1);
  Real step(1);
  for (long i = 0; i < decimals; ++i) mpfr_div_ui(step.get(), step.get(), 10, MPFR_RNDN);
  Real error = written - value.re;
  mpfr_abs(error.get(), error.get(), MPFR_RNDN);
  return mpfr_less_p(error.get(), step.get()) != 0;
}

bool is_close_decimal(const Node& a, const Node& b, Budget& budget) {
  for (const auto& [decimal, other] : {std::pair(a, b), std::pair(b, a)}) {
    const std::optional<Complex> value = value_at(other, Point::real_a, budget);
    if (value && is_rounding_of(decimal, *value)) return true;
  }
  return false;
}

Equivalence compare_at_points(const Node& reference, const Node& answer, bool whole, Budget& budget) {
  constexpr Point kReal[] = {Point::real_a, Point::real_b, Point::unit_a, Point::unit_b};
  constexpr Point kWhole[] = {Point::whole_a, Point::whole_b, Point::whole_c, Point::whole_d};
  int agreed = 0, differed = 0;
  for (const Point point : whole ? kWhole : kReal) {
    const std::optional<Complex> a = value_at(reference, point, budget), b = value_at(answer, point, budget);
    if (!a || !b) continue;
    (nearly_equal(*a, *b) ? agreed : differed) += 1;
  }
  if (differed > 0) return Equivalence::different;
  return agreed > 0 ? Equivalence::equal : Equivalence::unknown;
}

}  // namespace

Equivalence compare_values(const Node& reference, const Node& answer, Budget& budget) {
  const std::optional<mpq_class> a = exact_value(reference, budget), b = exact_value(answer, budget);
  if (a && b) {
    if (*a == *b) return Equivalence::equal;
    return is_close_decimal(reference, answer, budget) && (a->get_den() != 1 || b->get_den() != 1)
               ? Equivalence::equal
               : Equivalence::different;
  }
  std::set<std::string> symbols;
  collect_symbols(reference, symbols);
  collect_symbols(answer, symbols);
  if (symbols.empty()) {
    const std::optional<Complex> x = value_at(reference, Point::real_a, budget),
                                 y = value_at(answer, Point::real_a, budget);
    if (!x || !y) return Equivalence::unknown;
    if (nearly_equal(*x, *y)) {
      // Beyond the precision neighbouring whole numbers look equal: nothing can be said.
      const bool huge = x->is_real() && !x->re.is_zero() && mpfr_get_exp(x->re.get()) > 200;
      return huge && (a || b) ? Equivalence::unknown : Equivalence::equal;
    }
    return is_close_decimal(reference, answer, budget) ? Equivalence::equal : Equivalence::different;
  }
  const bool whole = wants_whole_numbers(reference) || wants_whole_numbers(answer);
  return compare_at_points(reference, answer, whole, budget);
}

}  // namespace r1::grade::math
