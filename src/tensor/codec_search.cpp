#include "tensor/codec_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "tensor/codec_assess.h"
#include "tensor/float_formats.h"

namespace r1::codec {
namespace {

/// Scale and minimum of one sub-block, before they are rounded to what the type can store.
struct Line {
  float scale = 0;
  float minimum = 0;
};

/// One sub-block of the input.
struct Run {
  const float* x;
  const float* w;
  float sum_w;
  float sum_wx;
  float low;
  float high;
};

constexpr float kLeastScale = 1e-30F;  // smaller ones count as zero; binary16 holds none of them

float inverse_of(float scale) {
  return std::fabs(scale) < kLeastScale ? 0.0F : 1.0F / scale;
}

/// For values that fit an int; std::lround would be a call.
int round_to_int(float value) {
  return static_cast<int>(value + (value < 0 ? -0.5F : 0.5F));
}

/// The search for one type. kSize is the sub-block size, fixed so that the hot loop unrolls.
template <int kSize>
class Search {
 public:
  Search(const BlockForm& form, const float* x, const float* w)
      : form_(form),
        q_low_(static_cast<float>(form.q_low)),
        q_high_(static_cast<float>(form.q_high)),
        hopeless_start_(form.count > 1 ? 1.3F : 10.0F),
        has_minimums_(form.minimum_high > 0),
        assess_(kSize == 16 ? assessors().assess_16 : assessors().assess_32) {
    for (int j = 0; j < form.count; ++j) {
      Run& run = runs_[j];
      run = {x + j * kSize, w + j * kSize, 0, 0, x[j * kSize], x[j * kSize]};
      for (int i = 0; i < kSize; ++i) {
        run.sum_w += run.w[i];
        run.sum_wx += run.w[i] * run.x[i];
        run.low = std::min(run.low, run.x[i]);
        run.high = std::max(run.high, run.x[i]);
      }
    }
  }

  BlockFit fit() {
    for (int j = 0; j < form_.count; ++j) lines_[j] = fit_run(runs_[j], moments_[j]);
    BlockFit best;
    if (form_.count == 1) {
      best = round_single();
    } else {
      best = round_block();
    }
    store_q(best);
    return best;
  }

 private:
  Moments assess_run(const Run& run, Line line) const {
    return assess_(run.x, run.w, {line.scale, inverse_of(line.scale), line.minimum, q_low_, q_high_});
  }

  /// Least squares for the line, q fixed. A block with sub-blocks stores minimums ≥ 0 only.
  Line improved(const Run& run, const Moments& moments, Line line) const {
    if (!has_minimums_) {
      if (moments.wqq > 0) line.scale = moments.wxq / moments.wqq;
      return line;
    }
    const float determinant = run.sum_w * moments.wqq - moments.wq * moments.wq;
    if (determinant > 1e-6F * run.sum_w * moments.wqq) {
      line.scale = (run.sum_w * moments.wxq - run.sum_wx * moments.wq) / determinant;
      line.minimum = (moments.wq * moments.wxq - moments.wqq * run.sum_wx) / determinant;
    }
    if (line.minimum < 0 && form_.count > 1) {
      line.minimum = 0;
      if (moments.wqq > 0) line.scale = moments.wxq / moments.wqq;
    }
    return line;
  }

  /// From `start`, assigns q and refits the line in turn; keeps the best line seen.
  void descend(const Run& run, Line start, int steps, Line& best, Moments& best_moments) const {
    Line line = start;
    float previous = std::numeric_limits<float>::infinity();
    for (int step = 0; step < steps; ++step) {
      const Moments moments = assess_run(run, line);
      if (moments.error < best_moments.error) {
        best = line;
        best_moments = moments;
      }
      if (moments.error >= previous || moments.error > best_moments.error * hopeless_start_) return;
      previous = moments.error;
      line = improved(run, moments, line);
    }
  }

  /// The best line for a sub-block, free of rounding: descents from a grid of clipped ranges.
  Line fit_run(const Run& run, Moments& moments) const {
    Line best;
    moments = assess_run(run, best);  // all zero
    if (has_minimums_) {
      const float low = form_.count > 1 ? std::min(run.low, 0.0F) : run.low;
      const float width = run.high - low;
      if (!(width > 0)) {
        descend(run, {run.high != 0 && form_.count > 1 && run.high > 0 ? run.high / q_high_ : 0, -low}, 2,
                best, moments);
        return best;
      }
      for (float clip_low : kClips) {
        for (float clip_high : kClips) {
          const float from = low + clip_low * width / q_high_;
          const float to = run.high - clip_high * width / q_high_;
          if (to > from) descend(run, {(to - from) / q_high_, -from}, 3, best, moments);
        }
      }
      return best;
    }
    const float largest = std::max(std::fabs(run.low), std::fabs(run.high));
    if (!(largest > 0)) return best;
    // The end with more values may stand on either side; which is better depends on the sub-block.
    for (float sign : {1.0F, -1.0F}) {
      if (sign < 0 && form_.q_low == -form_.q_high) break;
      for (float clip : kSymmetricClips) {
        const float end = -q_low_ + clip;
        if (end < 0.5F) continue;
        descend(run, {sign * largest / end, 0}, 3, best, moments);
      }
    }
    return best;
  }

  /// One scale (and minimum) for all: rounds to binary16, trying the neighbours of the scale.
  BlockFit round_single() const {
    BlockFit best;
    float best_error = std::numeric_limits<float>::infinity();
    const uint16_t centre = half_of(lines_[0].scale);
    for (int offset = -2; offset <= 2; ++offset) {
      const int bits = (centre & 0x7fff) + offset;
      if (bits < 0 || bits >= 0x7c00) continue;
      BlockFit fit;
      fit.scales[0] = 1;
      fit.d = static_cast<uint16_t>(bits | (centre & 0x8000));
      Line line = {f32_from_f16(fit.d), lines_[0].minimum};
      if (has_minimums_) {
        fit.minimums[0] = 1;
        line.minimum = minimum_for(runs_[0], assess_run(runs_[0], line), line);
        fit.dmin = half_of(line.minimum);
        line.minimum = f32_from_f16(fit.dmin);
      }
      const float error = assess_run(runs_[0], line).error;
      if (error < best_error) {
        best_error = error;
        best = fit;
      }
    }
    return best;
  }

  /// Least-squares minimum when scale and q stay.
  float minimum_for(const Run& run, const Moments& moments, Line line) const {
    return run.sum_w > 0 ? (line.scale * moments.wq - run.sum_wx) / run.sum_w : 0;
  }

  /// Two levels: tries several block factors d, refines each with the real error, keeps the best.
  BlockFit round_block() const {
    BlockFit best;
    float best_error = zero_error();
    for (const BlockFit& start : starts()) {
      BlockFit fit = start;
      const float error = refine(fit, best_error);
      if (error < best_error) {
        best_error = error;
        best = fit;
      }
    }
    return best;
  }

  float zero_error() const {
    float error = 0;
    for (int j = 0; j < form_.count; ++j) error += assess_run(runs_[j], {}).error;
    return error;
  }

  int nearest_scale(float scale, float inverse_d) const {
    return round_to_int(std::clamp(scale * inverse_d, static_cast<float>(form_.scale_low),
                                   static_cast<float>(form_.scale_high)));
  }
  int nearest_minimum(float minimum, float inverse_dmin) const {
    return round_to_int(std::clamp(minimum * inverse_dmin, 0.0F, static_cast<float>(form_.minimum_high)));
  }

  /// The block factors that round the free scales best, judged by the curvature of each sub-block's error.
  std::array<BlockFit, 3> starts() const {
    float largest = 0;
    for (int j = 0; j < form_.count; ++j) largest = std::max(largest, std::fabs(lines_[j].scale));
    std::array<BlockFit, 3> kept;
    std::array<float, 3> kept_error;
    kept_error.fill(std::numeric_limits<float>::infinity());
    if (!(largest > 0) && !has_minimums_) return kept;
    const int ends = form_.scale_low < 0 ? 2 : 1;
    for (int end = 0; end < ends; ++end) {
      const auto widest = static_cast<float>(end == 0 ? form_.scale_high : -form_.scale_low);
      for (float shrink : kFactorSteps) {
        const float free_d = (end == 0 ? 1.0F : -1.0F) * largest / (widest * (1.0F - shrink));
        BlockFit fit;
        fit.d = half_of(free_d);
        const float d = f32_from_f16(fit.d);
        const float inverse = inverse_of(d);
        float error = 0;
        for (int j = 0; j < form_.count; ++j) {
          fit.scales[j] = nearest_scale(lines_[j].scale, inverse);
          const float difference = lines_[j].scale - d * static_cast<float>(fit.scales[j]);
          const float pull =
              has_minimums_ && runs_[j].sum_w > 0 ? moments_[j].wq * moments_[j].wq / runs_[j].sum_w : 0;
          error += difference * difference * (moments_[j].wqq - pull);
        }
        for (size_t place = 0; place < kept.size(); ++place) {
          if (fit.d == kept[place].d) break;
          if (!(error < kept_error[place])) continue;
          std::move_backward(kept.begin() + place, kept.end() - 1, kept.end());
          std::move_backward(kept_error.begin() + place, kept_error.end() - 1, kept_error.end());
          kept[place] = fit;
          kept_error[place] = error;
          break;
        }
      }
    }
    if (has_minimums_) {
      for (BlockFit& fit : kept) choose_minimums(fit);
    }
    return kept;
  }

  /// Given d and the scales: the minimums that least squares asks for, and the dmin that rounds them best.
  void choose_minimums(BlockFit& fit) const {
    const float d = f32_from_f16(fit.d);
    float wanted[16];
    float largest = 0;
    for (int j = 0; j < form_.count; ++j) {
      const Line line = {d * static_cast<float>(fit.scales[j]), lines_[j].minimum};
      wanted[j] = std::max(0.0F, minimum_for(runs_[j], assess_run(runs_[j], line), line));
      largest = std::max(largest, wanted[j]);
    }
    float best_error = std::numeric_limits<float>::infinity();
    for (float shrink : kFactorSteps) {
      const uint16_t bits = half_of(largest / (static_cast<float>(form_.minimum_high) * (1.0F - shrink)));
      const float dmin = f32_from_f16(bits);
      const float inverse = inverse_of(dmin);
      float error = 0;
      int rounded[16];
      for (int j = 0; j < form_.count; ++j) {
        rounded[j] = nearest_minimum(wanted[j], inverse);
        const float difference = wanted[j] - dmin * static_cast<float>(rounded[j]);
        error += runs_[j].sum_w * difference * difference;
      }
      if (error < best_error) {
        best_error = error;
        fit.dmin = bits;
        std::copy_n(rounded, form_.count, fit.minimums);
      }
    }
  }

  Line line_of(const BlockFit& fit, int j) const {
    return {f32_from_f16(fit.d) * static_cast<float>(fit.scales[j]),
            f32_from_f16(fit.dmin) * static_cast<float>(fit.minimums[j])};
  }

  /// Coordinate descent on the real error: small scales and minimums, then the block factors by least
  /// squares, in turn. Gives up where `to_beat` is
  /// far away. Returns the error.
  float refine(BlockFit& fit, float to_beat) const {
    float best_error = std::numeric_limits<float>::infinity();
    BlockFit current = fit;
    for (int round = 0; round < kRounds; ++round) {
      std::array<Moments, 16> moments;
      float error = 0;
      for (int j = 0; j < form_.count; ++j) error += (moments[j] = refine_run(current, j)).error;
      if (error < best_error) {
        fit = current;
      }
      if (!(error < best_error * 0.9999F)) return std::min(error, best_error);
      if (error > to_beat * kHopeless) return error;
      best_error = error;
      refit_factors(current, moments);
    }
    return best_error;
  }

  /// Tries the neighbours of sub-block j's scale, each with the minimums that suit it.
  Moments refine_run(BlockFit& fit, int j) const {
    const Run& run = runs_[j];
    const float d = f32_from_f16(fit.d);
    const float dmin = f32_from_f16(fit.dmin);
    const float inverse_dmin = inverse_of(dmin);
    const int centre = fit.scales[j];
    const int old_minimum = fit.minimums[j];
    Moments best;
    best.error = std::numeric_limits<float>::infinity();
    const auto consider = [&](int scale, int minimum, const Moments& moments) {
      if (!(moments.error < best.error)) return;
      best = moments;
      fit.scales[j] = scale;
      fit.minimums[j] = minimum;
    };
    const auto try_scale = [&](int scale) {
      if (scale < form_.scale_low || scale > form_.scale_high) return;
      Line line = {d * static_cast<float>(scale), dmin * static_cast<float>(old_minimum)};
      const Moments moments = assess_run(run, line);
      consider(scale, old_minimum, moments);
      if (!has_minimums_ || inverse_dmin == 0) return;
      const float wanted = std::clamp(minimum_for(run, moments, line) * inverse_dmin, 0.0F,
                                      static_cast<float>(form_.minimum_high));
      const int below = static_cast<int>(wanted);
      for (int minimum : {below, std::min(below + 1, form_.minimum_high)}) {
        if (minimum == old_minimum) continue;
        line.minimum = dmin * static_cast<float>(minimum);
        consider(scale, minimum, assess_run(run, line));
      }
    };
    for (int scale : {centre, centre - 1, centre + 1}) try_scale(scale);
    if (form_.scale_low < 0 && form_.q_high < 8) {  // the other side of a range that is clearly not symmetric
      for (int scale : {-centre, -centre - 1, -centre + 1}) try_scale(scale);
    }
    return best;
  }

  /// Least squares for d and dmin when all small numbers stay.
  void refit_factors(BlockFit& fit, const std::array<Moments, 16>& moments) const {
    double ss = 0;
    double sm = 0;
    double mm = 0;
    double sx = 0;
    double mx = 0;
    for (int j = 0; j < form_.count; ++j) {
      const double s = fit.scales[j];
      const double m = fit.minimums[j];
      ss += s * s * moments[j].wqq;
      sm += s * m * moments[j].wq;
      mm += m * m * runs_[j].sum_w;
      sx += s * moments[j].wxq;
      mx += m * runs_[j].sum_wx;
    }
    const double determinant = ss * mm - sm * sm;
    if (has_minimums_ && determinant > 1e-9 * ss * mm) {
      const double d = (sx * mm - sm * mx) / determinant;
      const double dmin = (sm * sx - ss * mx) / determinant;
      if (d > 0 && dmin >= 0) {
        fit.d = half_of(static_cast<float>(d));
        fit.dmin = half_of(static_cast<float>(dmin));
        return;
      }
    }
    if (ss > 0 && mm == 0) fit.d = half_of(static_cast<float>(sx / ss));
  }

  void store_q(BlockFit& fit) const {
    for (int j = 0; j < form_.count; ++j) {
      const Line line = line_of(fit, j);
      const float inverse = inverse_of(line.scale);
      for (int i = 0; i < kSize; ++i) {
        const float q = std::clamp((runs_[j].x[i] + line.minimum) * inverse, q_low_, q_high_);
        fit.q[j * kSize + i] = static_cast<int8_t>((q + kRoundingShift) - kRoundingShift);
      }
    }
  }

  static uint16_t half_of(float value) {
    const uint16_t bits = f16_from_f32(value);
    if ((bits & 0x7fff) >= 0x7c00) {
      throw_error(ErrorKind::invalid_argument,
                  "a block needs the factor {}, expected at most 65504 (binary16's largest)", value);
    }
    return bits;
  }

  // Where descents start: how far (in steps of q) the ends of the range are cut, and how far the block
  // factors are stretched.
  static constexpr float kClips[] = {-0.4F, 0.0F, 0.4F, 0.9F};
  static constexpr float kSymmetricClips[] = {-1.6F, -1.2F, -0.8F, -0.4F, 0.0F, 0.4F, 0.8F};
  static constexpr float kFactorSteps[] = {-0.02F, -0.01F, 0.0F,  0.01F, 0.02F, 0.03F, 0.05F, 0.07F, 0.09F,
                                           0.11F,  0.13F,  0.15F, 0.18F, 0.21F, 0.24F, 0.27F, 0.30F};
  static constexpr int kRounds = 4;
  static constexpr float kHopeless = 1.01F;

  BlockForm form_;
  float q_low_;
  float q_high_;
  float hopeless_start_;  // a descent ends when it starts so many times worse than the best so far
  bool has_minimums_;
  Assess assess_;
  Run runs_[16];
  Line lines_[16];
  Moments moments_[16];
};

}  // namespace

BlockFit fit_block(const BlockForm& form, std::span<const float> x, std::span<const float> importance) {
  double mean = 0;
  for (float weight : importance) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      throw_error(ErrorKind::invalid_argument, "an importance weight is {}, expected a number from 0 up",
                  weight);
    }
    mean += weight / static_cast<double>(importance.size());
  }
  float weights[256];
  std::fill_n(weights, x.size(), 1.0F);
  if (mean > 0) {
    // A floor keeps sub-blocks that nothing asks for from being thrown away altogether.
    for (size_t i = 0; i < x.size(); ++i) weights[i] = static_cast<float>(importance[i] / mean) + 1e-5F;
  }
  if (form.size == 16) return Search<16>(form, x.data(), weights).fit();
  return Search<32>(form, x.data(), weights).fit();
}

}  // namespace r1::codec
