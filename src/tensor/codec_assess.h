// Inner header: the hot loop of quantisation, behind a table with one entry for each instruction set.
#pragma once

namespace r1::codec {

constexpr float kRoundingShift = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number, ties to even

/// Weighted sums over a sub-block, for the q nearest to a given line: its error, and what least squares needs
/// to improve the line while q stays.
struct Moments {
  float error = 0;  // Σ w (x − scale · q + minimum)²
  float wq = 0;     // Σ w q
  float wqq = 0;    // Σ w q²
  float wxq = 0;    // Σ w x q
};

/// The line x = scale · q − minimum; `inverse` is 1 / scale, or 0 for scale 0. q is kept in [q_low, q_high].
struct AssessedLine {
  float scale;
  float inverse;
  float minimum;
  float q_low;
  float q_high;
};

/// x and w: 16 or 32 values. The same bits on every instruction set: eight sums run side by side and are
/// added in one order.
using Assess = Moments (*)(const float* x, const float* w, const AssessedLine& line);

struct Assessors {
  Assess assess_16;
  Assess assess_32;
};

/// The fastest for this machine.
const Assessors& assessors();

extern const Assessors kAssessorsPlain;
extern const Assessors kAssessorsAvx2;  // only where the processor has AVX2

}  // namespace r1::codec
