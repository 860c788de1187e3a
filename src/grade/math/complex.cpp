#include "grade/math/complex.h"

namespace r1::grade::math {
namespace {

template <typename Function>
Real apply(Function function, const Real& a) {
  Real result;
  function(result.get(), a.get(), MPFR_RNDN);
  return result;
}

}  // namespace

Complex operator+(const Complex& a, const Complex& b) {
  return {a.re + b.re, a.im + b.im};
}
Complex operator-(const Complex& a, const Complex& b) {
  return {a.re - b.re, a.im - b.im};
}
Complex negative(const Complex& a) {
  return {-a.re, -a.im};
}

Complex operator*(const Complex& a, const Complex& b) {
  if (a.is_real() && b.is_real()) return {a.re * b.re, Real()};
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

Complex operator/(const Complex& a, const Complex& b) {
  if (b.is_real()) return {a.re / b.re, a.is_real() ? Real() : a.im / b.re};
  const Real norm = b.re * b.re + b.im * b.im;
  return {(a.re * b.re + a.im * b.im) / norm, (a.im * b.re - a.re * b.im) / norm};
}

Complex exponential(const Complex& a) {
  const Real scale = apply(mpfr_exp, a.re);
  if (a.is_real()) return {scale, Real()};
  return {scale * apply(mpfr_cos, a.im), scale * apply(mpfr_sin, a.im)};
}

Real magnitude(const Complex& a) {
  Real result;
  mpfr_hypot(result.get(), a.re.get(), a.im.get(), MPFR_RNDN);
  return result;
}

Complex logarithm(const Complex& a) {
  Complex result{apply(mpfr_log, magnitude(a)), Real()};
  if (!a.is_real() || a.re.sign() < 0) mpfr_atan2(result.im.get(), a.im.get(), a.re.get(), MPFR_RNDN);
  return result;
}

Complex power(const Complex& base, const Complex& exponent) {
  if (base.is_real() && exponent.is_real() && (base.re.sign() >= 0 || mpfr_integer_p(exponent.re.get()))) {
    Complex result;
    mpfr_pow(result.re.get(), base.re.get(), exponent.re.get(), MPFR_RNDN);
    return result;
  }
  if (exponent.is_real() && mpfr_integer_p(exponent.re.get()) && mpfr_cmpabs_ui(exponent.re.get(), 64) <= 0) {
    long count = mpfr_get_si(exponent.re.get(), MPFR_RNDN);
    Complex result{Real(1), Real()};
    for (long i = 0; i < (count < 0 ? -count : count); ++i) result = result * base;
    return count < 0 ? Complex{Real(1), Real()} / result : result;
  }
  return exponential(exponent * logarithm(base));
}

Complex square_root(const Complex& a) {
  if (a.is_real()) {
    if (a.re.sign() >= 0) return {apply(mpfr_sqrt, a.re), Real()};
    return {Real(), apply(mpfr_sqrt, -a.re)};
  }
  return power(a, {Real(0.5), Real()});
}

bool nearly_equal(const Complex& a, const Complex& b) {
  const Real difference = magnitude(a - b), size = magnitude(a) + magnitude(b);
  Real bound;
  mpfr_mul_2si(bound.get(), size.get(), -120, MPFR_RNDN);
  return mpfr_lessequal_p(difference.get(), bound.get()) != 0;
}

}  // namespace r1::grade::math
