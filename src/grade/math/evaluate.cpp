#include "grade/math/evaluate.h"

#include <functional>

#include "base/hash.h"
#include "base/random.h"

namespace r1::grade::math {
namespace {

constexpr size_t kMaxBits = size_t{1} << 17;   // of an exact number
constexpr unsigned long kMaxFactorial = 6000;  // its number has 65,000 bits

size_t bits_of(const mpq_class& value) {
  return mpz_sizeinbase(value.get_num_mpz_t(), 2) + mpz_sizeinbase(value.get_den_mpz_t(), 2);
}

void spend_on(const mpq_class& value, Budget& budget) {
  budget.spend(1 + static_cast<int64_t>(bits_of(value) / 64));
}

bool is_whole(const mpq_class& value) {
  return value.get_den() == 1;
}

std::optional<mpq_class> exact_power(const mpq_class& base, const mpq_class& exponent, Budget& budget) {
  if (is_whole(exponent) && !exponent.get_num().fits_slong_p()) return std::nullopt;
  if (!is_whole(exponent)) {
    // A root that comes out even: (9/4)^(1/2).
    if (!exponent.get_den().fits_ulong_p() || exponent.get_den() > 64 || base < 0) return std::nullopt;
    const unsigned long degree = exponent.get_den().get_ui();
    mpq_class root;
    if (mpz_root(root.get_num_mpz_t(), base.get_num_mpz_t(), degree) == 0) return std::nullopt;
    if (mpz_root(root.get_den_mpz_t(), base.get_den_mpz_t(), degree) == 0) return std::nullopt;
    return exact_power(root, mpq_class(exponent.get_num()), budget);
  }
  const long count = exponent.get_num().get_si();
  if (base == 0) {
    if (count < 0) return std::nullopt;
    return mpq_class(count == 0 ? 1 : 0);
  }
  if (base == 1) return base;
  if (base == -1) return mpq_class(count % 2 == 0 ? 1 : -1);
  const unsigned long times = static_cast<unsigned long>(count < 0 ? -count : count);
  if (times > kMaxBits || bits_of(base) * times > kMaxBits) return std::nullopt;
  budget.spend(static_cast<int64_t>(bits_of(base) * times / 16) + 1);
  mpq_class result;
  mpz_pow_ui(result.get_num_mpz_t(), base.get_num_mpz_t(), times);
  mpz_pow_ui(result.get_den_mpz_t(), base.get_den_mpz_t(), times);
  if (count < 0) result = 1 / result;
  return result;
}

mpq_class floor_of(const mpq_class& value) {
  mpz_class result;
  mpz_fdiv_q(result.get_mpz_t(), value.get_num_mpz_t(), value.get_den_mpz_t());
  return mpq_class(result);
}

std::optional<mpq_class> exact_function(const Node& node, const std::vector<mpq_class>& arguments,
                                        Budget& budget) {
  const std::string& name = node->name;
  const mpq_class& x = arguments[0];
  if (name == "sqrt") return exact_power(x, mpq_class(1, 2), budget);
  if (name == "root" && arguments.size() == 2 && is_whole(arguments[1]) && arguments[1] > 0 &&
      arguments[1] <= 64) {
    const mpq_class inverse = 1 / arguments[1];
    if (x < 0) {
      if (mpz_odd_p(arguments[1].get_num_mpz_t()) == 0) return std::nullopt;
      const std::optional<mpq_class> root = exact_power(-x, inverse, budget);
      return root ? std::optional<mpq_class>(-*root) : std::nullopt;
    }
    return exact_power(x, inverse, budget);
  }
  if (name == "abs") return abs(x);
  if (name == "floor") return floor_of(x);
  if (name == "ceil") return mpq_class(-floor_of(-x));
  if (name == "max" || name == "min") {
    mpq_class best = x;
    for (const mpq_class& value : arguments) best = (name == "max") == (value > best) ? value : best;
    return best;
  }
  if ((name == "gcd" || name == "lcm") && arguments.size() == 2 && is_whole(x) && is_whole(arguments[1])) {
    const mpz_class &a = x.get_num(), &b = arguments[1].get_num();
    return mpq_class(name == "gcd" ? mpz_class(gcd(a, b)) : mpz_class(lcm(a, b)));
  }
  if ((name == "binom" || name == "permutations") && arguments.size() == 2 && is_whole(x) &&
      is_whole(arguments[1]) && x >= 0 && x <= 20000 && arguments[1] >= 0 && arguments[1] <= x) {
    const unsigned long n = x.get_num().get_ui(), k = arguments[1].get_num().get_ui();
    budget.spend(static_cast<int64_t>(n));
    mpz_class result;
    mpz_bin_uiui(result.get_mpz_t(), n, k);
    if (name == "permutations") {
      if (k > kMaxFactorial) return std::nullopt;
      mpz_class factorial;
      mpz_fac_ui(factorial.get_mpz_t(), k);
      result *= factorial;
    }
    return mpq_class(result);
  }
  return std::nullopt;
}

/// The value of a numeral in a base of 2 to 36.
std::optional<mpq_class> based_value(const Node& node) {
  const Node& base = node->children[0];
  if (base->kind != Kind::number || !is_whole(base->value) || base->value < 2 || base->value > 36)
    return std::nullopt;
  mpz_class value;
  if (value.set_str(node->name, static_cast<int>(base->value.get_num().get_si())) != 0) return std::nullopt;
  return mpq_class(value);
}

Complex symbol_value(const std::string& name, Point point) {
  Complex result;
  if (name == "\\pi") {
    mpfr_const_pi(result.re.get(), MPFR_RNDN);
    return result;
  }
  if (name == "e") return exponential({Real(1), Real()});
  if (name == "i") return {Real(), Real(1)};
  const uint64_t hash = random_bits(fnv1a(name), static_cast<uint64_t>(point));
  const double share = static_cast<double>(hash >> 11) * 0x1p-53;
  switch (point) {
    case Point::real_a:
    case Point::real_b:
      return {Real(1.0625 + 2.5 * share), Real()};
    case Point::unit_a:
    case Point::unit_b:
      return {Real(0.0625 + 0.875 * share), Real()};
    default:
      return {Real(static_cast<double>(2 + hash % 23)), Real()};
  }
}

using RealFunction = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

std::optional<Complex> real_function(RealFunction function, const Complex& x) {
  if (!x.is_real() || !x.is_finite()) return std::nullopt;
  // Reducing a huge angle takes as many bits as the angle has.
  if (!x.re.is_zero() && mpfr_get_exp(x.re.get()) > 1024) return std::nullopt;
  Complex result;
  function(result.re.get(), x.re.get(), MPFR_RNDN);
  return result.is_finite() ? std::optional<Complex>(result) : std::nullopt;
}

std::optional<Complex> evaluate_function(const Node& node, const std::vector<Complex>& arguments,
                                         Point point) {
  const std::string& name = node->name;
  const Complex& x = arguments[0];
  const auto one = [] { return Complex{Real(1), Real()}; };
  if (name == "sqrt") return square_root(x);
  if (name == "root" && arguments.size() == 2) {
    if (x.is_real() && x.re.sign() < 0 && arguments[1].is_real() && mpfr_integer_p(arguments[1].re.get()) &&
        mpfr_fits_slong_p(arguments[1].re.get(), MPFR_RNDN) &&
        mpfr_get_si(arguments[1].re.get(), MPFR_RNDN) % 2 != 0) {
      return negative(power(negative(x), one() / arguments[1]));
    }
    return power(x, one() / arguments[1]);
  }
  if (name == "exp") return exponential(x);
  if (name == "ln") return logarithm(x);
  if (name == "lg") return logarithm(x) / logarithm({Real(10), Real()});
  if (name == "log") return arguments.size() > 1 ? logarithm(x) / logarithm(arguments[1]) : logarithm(x);
  if (name == "abs") return Complex{magnitude(x), Real()};
  if (name == "sin") return real_function(mpfr_sin, x);
  if (name == "cos") return real_function(mpfr_cos, x);
  if (name == "tan") return real_function(mpfr_tan, x);
  if (name == "cot") return real_function(mpfr_cot, x);
  if (name == "sec") return real_function(mpfr_sec, x);
  if (name == "csc") return real_function(mpfr_csc, x);
  if (name == "arcsin") return real_function(mpfr_asin, x);
  if (name == "arccos") return real_function(mpfr_acos, x);
  if (name == "arctan") return real_function(mpfr_atan, x);
  if (name == "sinh") return real_function(mpfr_sinh, x);
  if (name == "cosh") return real_function(mpfr_cosh, x);
  if (name == "tanh") return real_function(mpfr_tanh, x);
  if ((name == "floor" || name == "ceil") && x.is_real()) {
    Complex result;
    (name == "floor" ? mpfr_floor : mpfr_ceil)(result.re.get(), x.re.get());
    return result;
  }
  if (name == "binom" && arguments.size() == 2) {
    const auto factorial = [](const Complex& n) {
      return real_function(
          [](mpfr_ptr out, mpfr_srcptr in, mpfr_rnd_t round) {
            Real next;
            mpfr_add_ui(next.get(), in, 1, round);
            return mpfr_gamma(out, next.get(), round);
          },
          n);
    };
    const auto n = factorial(x), k = factorial(arguments[1]), rest = factorial(x - arguments[1]);
    if (!n || !k || !rest) return std::nullopt;
    return *n / (*k * *rest);
  }
  if ((name == "max" || name == "min")) {
    const Complex* best = &x;
    for (const Complex& value : arguments) {
      if (!value.is_real()) return std::nullopt;
      const int order = mpfr_cmp(value.re.get(), best->re.get());
      if (name == "max" ? order > 0 : order < 0) best = &value;
    }
    return *best;
  }
  if (name == "f" || name == "g" || name == "h") {  // unknown: its value is a function of its argument's
    std::string key = name;
    for (const Complex& value : arguments) {
      if (!value.is_finite()) return std::nullopt;
      key += std::to_string(mpfr_get_d(value.re.get(), MPFR_RNDN)) + "," +
             std::to_string(mpfr_get_d(value.im.get(), MPFR_RNDN));
    }
    return symbol_value("function " + key, point);
  }
  return std::nullopt;
}

Complex from_rational(const mpq_class& value) {
  Complex result;
  mpfr_set_q(result.re.get(), value.get_mpq_t(), MPFR_RNDN);
  return result;
}

std::optional<Complex> evaluate(const Node& node, Point point, Budget& budget) {
  budget.spend(20);
  if (node->kind == Kind::number) return from_rational(node->value);
  if (node->kind == Kind::symbol) return symbol_value(node->name, point);
  if (const std::optional<mpq_class> exact = exact_value(node, budget)) return from_rational(*exact);
  std::vector<Complex> values;
  for (const Node& child : node->children) {
    std::optional<Complex> value = evaluate(child, point, budget);
    if (!value || !value->is_finite()) return std::nullopt;
    values.push_back(std::move(*value));
  }
  switch (node->kind) {
    case Kind::add: {
      Complex sum = values[0];
      for (size_t i = 1; i < values.size(); ++i) sum = sum + values[i];
      return sum;
    }
    case Kind::multiply: {
      Complex product = values[0];
      for (size_t i = 1; i < values.size(); ++i) product = product * values[i];
      return product;
    }
    case Kind::divide:
      return values[0] / values[1];
    case Kind::negate:
      return negative(values[0]);
    case Kind::power:
      return power(values[0], values[1]);
    case Kind::percent:
      return values[0] / Complex{Real(100), Real()};
    case Kind::degrees:
    case Kind::unit:
      return values[0];
    case Kind::factorial:
      if (!values[0].is_real() || mpfr_cmp_ui(values[0].re.get(), 100'000'000) > 0) return std::nullopt;
      return real_function(
          [](mpfr_ptr out, mpfr_srcptr in, mpfr_rnd_t round) {
            Real next;
            mpfr_add_ui(next.get(), in, 1, round);
            return mpfr_gamma(out, next.get(), round);
          },
          values[0]);
    case Kind::function:
      return evaluate_function(node, values, point);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<mpq_class> exact_value(const Node& node, Budget& budget) {
  budget.spend();
  if (node->kind == Kind::number) return node->value;
  if (node->kind == Kind::based) return based_value(node);
  std::vector<mpq_class> values;
  switch (node->kind) {
    case Kind::add:
    case Kind::multiply:
    case Kind::divide:
    case Kind::negate:
    case Kind::power:
    case Kind::percent:
    case Kind::degrees:
    case Kind::unit:
    case Kind::factorial:
    case Kind::function:
      break;
    default:
      return std::nullopt;
  }
  for (const Node& child : node->children) {
    std::optional<mpq_class> value = exact_value(child, budget);
    if (!value || bits_of(*value) > kMaxBits) return std::nullopt;
    spend_on(*value, budget);
    values.push_back(std::move(*value));
  }
  if (values.empty()) return std::nullopt;
  switch (node->kind) {
    case Kind::add: {
      mpq_class sum = 0;
      for (const mpq_class& value : values) sum += value;
      return sum;
    }
    case Kind::multiply: {
      mpq_class product = 1;
      for (const mpq_class& value : values) product *= value;
      return product;
    }
    case Kind::divide:
      if (values[1] == 0) return std::nullopt;
      return mpq_class(values[0] / values[1]);
    case Kind::negate:
      return mpq_class(-values[0]);
    case Kind::power:
      return exact_power(values[0], values[1], budget);
    case Kind::percent:
      return mpq_class(values[0] / 100);
    case Kind::degrees:
    case Kind::unit:
      return values[0];
    case Kind::factorial: {
      if (!is_whole(values[0]) || values[0] < 0 || values[0] > kMaxFactorial) return std::nullopt;
      const unsigned long n = values[0].get_num().get_ui();
      budget.spend(static_cast<int64_t>(n));
      mpz_class result;
      mpz_fac_ui(result.get_mpz_t(), n);
      return mpq_class(result);
    }
    case Kind::function:
      return exact_function(node, values, budget);
    default:
      return std::nullopt;
  }
}

std::optional<Complex> value_at(const Node& node, Point point, Budget& budget) {
  std::optional<Complex> value = evaluate(node, point, budget);
  if (value && !value->is_finite()) return std::nullopt;
  return value;
}

void collect_symbols(const Node& node, std::set<std::string>& symbols) {
  if (node->kind == Kind::symbol && node->name != "\\pi" && node->name != "e" && node->name != "i") {
    symbols.insert(node->name);
  }
  if (node->kind == Kind::function && (node->name == "f" || node->name == "g" || node->name == "h")) {
    symbols.insert(node->name + "()");
  }
  for (const Node& child : node->children) collect_symbols(child, symbols);
}

bool wants_whole_numbers(const Node& node) {
  if (node->kind == Kind::factorial) return true;
  if (node->kind == Kind::function && (node->name == "floor" || node->name == "ceil" ||
                                       node->name == "binom" || node->name == "permutations")) {
    return true;
  }
  if (node->kind == Kind::power && node->children[0]->kind == Kind::negate) return true;
  for (const Node& child : node->children) {
    if (wants_whole_numbers(child)) return true;
  }
  return false;
}

}  // namespace r1::grade::math
