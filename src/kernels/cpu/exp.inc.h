// Exponentials of sixteen lanes, the same bits on every instruction set. Included after lanes_*.h.
// Both reduce to 2^n · p(r) with a polynomial of degree 6 that has p(0) = 1 exactly; its coefficients were
// fitted at the Chebyshev nodes of the reduced range (relative error of the polynomial alone: 1.1e-8).

namespace r1::kernels {
namespace {

/// Adding this to |x| < 2^22 leaves round(x) in the low bits of the float.
constexpr float kRounder = 0x1.8p+23F;

/// 2^x for x ≤ 0, within 1 ulp; 0 below -126 (no subnormal results), NaN for NaN.
inline F32x16 exp2_of_negative(F32x16 x) {
  const F32x16 bounded = max(broadcast(-127.0F), x);
  const F32x16 shifted = bounded + broadcast(kRounder);
  const F32x16 f = bounded - (shifted - broadcast(kRounder));  // exact, in [-0.5, 0.5]
  F32x16 p = broadcast(0x1.44138ap-13F);
  p = fma(p, f, broadcast(0x1.5f0890p-10F));
  p = fma(p, f, broadcast(0x1.3b2a54p-7F));
  p = fma(p, f, broadcast(0x1.c6af6cp-5F));
  p = fma(p, f, broadcast(0x1.ebfbe0p-3F));
  p = fma(p, f, broadcast(0x1.62e430p-1F));
  p = fma(p, f, broadcast(1.0F));
  // The low bits of `shifted` are n; as a float's exponent they make 2^n.
  const F32x16 power = as_float(shift_left<23>(as_int(shifted) + broadcast(int32_t{127})));
  return select_less(x, broadcast(-126.0F), broadcast(0.0F), p * power);
}

/// e^x within 1 ulp: infinity above 88.73, subnormals and 0 below -87.4, NaN for NaN.
inline F32x16 exponential(F32x16 x) {
  const F32x16 bounded = max(broadcast(-105.0F), min(broadcast(90.0F), x));
  const F32x16 shifted = fma(bounded, broadcast(0x1.715476p+0F), broadcast(kRounder));
  const F32x16 n = shifted - broadcast(kRounder);
  F32x16 r = fma(n, broadcast(-0x1.62e400p-1F), bounded);  // ln 2 in two parts (Cody and Waite)
  r = fma(n, broadcast(-0x1.7f7d1cp-20F), r);
  F32x16 p = broadcast(0x1.6d4318p-10F);
  p = fma(p, r, broadcast(0x1.123d84p-7F));
  p = fma(p, r, broadcast(0x1.5554eap-5F));
  p = fma(p, r, broadcast(0x1.55547cp-3F));
  p = fma(p, r, broadcast(0x1.0p-1F));
  p = fma(p, r, broadcast(1.0F));
  p = fma(p, r, broadcast(1.0F));
  // Two factors, so that 2^128 and the subnormals are reached.
  const I32x16 exponent = as_int(shifted) - broadcast(int32_t{0x4b400000});
  const I32x16 half = shift_right<1>(exponent + broadcast(int32_t{512})) - broadcast(int32_t{256});
  const F32x16 first = as_float(shift_left<23>(half + broadcast(int32_t{127})));
  const F32x16 second = as_float(shift_left<23>(exponent - half + broadcast(int32_t{127})));
  return p * first * second;
}

}  // namespace
}  // namespace r1::kernels
