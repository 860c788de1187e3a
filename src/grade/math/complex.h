// Complex numbers of 256 bits of precision (MPFR).
#pragma once

#include <mpfr.h>

#include <utility>

namespace r1::grade::math {

inline constexpr mpfr_prec_t kPrecision = 256;

class Real {
 public:
  Real() { mpfr_init2(value_, kPrecision), mpfr_set_zero(value_, 1); }
  explicit Real(double value) { mpfr_init2(value_, kPrecision), mpfr_set_d(value_, value, MPFR_RNDN); }
  Real(const Real& other) { mpfr_init2(value_, kPrecision), mpfr_set(value_, other.value_, MPFR_RNDN); }
  Real& operator=(const Real& other) {
    mpfr_set(value_, other.value_, MPFR_RNDN);
    return *this;
  }
  ~Real() { mpfr_clear(value_); }

  mpfr_ptr get() { return value_; }
  mpfr_srcptr get() const { return value_; }
  bool is_zero() const { return mpfr_zero_p(value_) != 0; }
  bool is_finite() const { return mpfr_number_p(value_) != 0; }
  int sign() const { return mpfr_sgn(value_); }

 private:
  mpfr_t value_;
};

inline Real operator+(const Real& a, const Real& b) {
  Real r;
  mpfr_add(r.get(), a.get(), b.get(), MPFR_RNDN);
  return r;
}
inline Real operator-(const Real& a, const Real& b) {
  Real r;
  mpfr_sub(r.get(), a.get(), b.get(), MPFR_RNDN);
  return r;
}
inline Real operator*(const Real& a, const Real& b) {
  Real r;
  mpfr_mul(r.get(), a.get(), b.get(), MPFR_RNDN);
  return r;
}
inline Real operator/(const Real& a, const Real& b) {
  Real r;
  mpfr_div(r.get(), a.get(), b.get(), MPFR_RNDN);
  return r;
}
inline Real operator-(const Real& a) {
  Real r;
  mpfr_neg(r.get(), a.get(), MPFR_RNDN);
  return r;
}

struct Complex {
  Real re{}, im{};
  bool is_finite() const { return re.is_finite() && im.is_finite(); }
  bool is_real() const { return im.is_zero(); }
};

Complex operator+(const Complex& a, const Complex& b);
Complex operator-(const Complex& a, const Complex& b);
Complex operator*(const Complex& a, const Complex& b);
/// Not finite where b is 0.
Complex operator/(const Complex& a, const Complex& b);
Complex negative(const Complex& a);
Complex exponential(const Complex& a);
/// The principal branch; not finite at 0.
Complex logarithm(const Complex& a);
/// The principal branch; a real result for a real base and a whole exponent.
Complex power(const Complex& base, const Complex& exponent);
Complex square_root(const Complex& a);
Real magnitude(const Complex& a);

/// |a - b| ≤ 2^-120 of the larger magnitude, or both below 2^-120 · scale.
bool nearly_equal(const Complex& a, const Complex& b);

}  // namespace r1::grade::math
