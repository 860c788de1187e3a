#include "nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "nn/tape.h"

namespace r1 {

RopeFrequencies plain_rope(int64_t columns, double base) {
  RopeFrequencies rope;
  for (int64_t i = 0; i < columns / 2; ++i) {
    rope.inverse.push_back(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(columns)));
  }
  return rope;
}

void apply_linear_scaling(RopeFrequencies& rope, double factor) {
  for (double& inverse : rope.inverse) inverse /= factor;
}

void apply_llama3_scaling(RopeFrequencies& rope, const Llama3Scaling& scaling) {
  const double longest_kept = scaling.original_context / scaling.high_frequency_factor;
  const double shortest_divided = scaling.original_context / scaling.low_frequency_factor;
  for (double& inverse : rope.inverse) {
    const double wavelength = 2 * std::numbers::pi / inverse;
    if (wavelength < longest_kept) continue;
    if (wavelength > shortest_divided) {
      inverse /= scaling.factor;
      continue;
    }
    const double kept = (scaling.original_context / wavelength - scaling.low_frequency_factor) /
                        (scaling.high_frequency_factor - scaling.low_frequency_factor);
    inverse = (1 - kept) * inverse / scaling.factor + kept * inverse;
  }
}

void apply_yarn_scaling(RopeFrequencies& rope, int64_t columns, double base, const YarnScaling& scaling) {
  // The (fractional) pair that turns `turns` times over the original context.
  auto pair_of = [&](double turns) {
    return static_cast<double>(columns) *
           std::log(scaling.original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  const double low = std::max(0.0, std::floor(pair_of(scaling.beta_fast)));
  double high = std::min(static_cast<double>(columns - 1), std::ceil(pair_of(scaling.beta_slow)));
  if (high <= low) high = low + 0.001;
  for (size_t i = 0; i < rope.inverse.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    rope.inverse[i] = rope.inverse[i] / scaling.factor * ramp + rope.inverse[i] * (1 - ramp);
  }
}

void apply_frequency_factors(RopeFrequencies& rope, std::span<const float> factors) {
  if (factors.size() != rope.inverse.size()) {
    throw_error(ErrorKind::bad_file, "rope frequency factors: expected {} of them, found {}",
                rope.inverse.size(), factors.size());
  }
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] > 0)) {
      throw_error(ErrorKind::bad_file, "rope frequency factor {}: expected a positive number, found {}", i,
                  factors[i]);
    }
    rope.inverse[i] /= static_cast<double>(factors[i]);
  }
}

RopeTable make_rope_table(Context& context, const RopeFrequencies& rope, std::span<const int32_t> positions) {
  const auto rows = static_cast<int64_t>(positions.size());
  const auto pairs = static_cast<int64_t>(rope.inverse.size());
  float* cosines = context.arena().allocate<float>(rows * pairs);
  float* sines = context.arena().allocate<float>(rows * pairs);
  context.backend().rope_table(rope, positions, cosines, sines);
  return {cosines, sines, pairs};
}

void rotate(Context& context, std::span<const RotateCall> calls) {
  Tape* tape = context.tape();
  for (const RotateCall& call : calls) {
    if (tape == nullptr) break;
    tape->record([tape, call](Context& later) {
      float* gradient = tape->find(call.x);
      if (gradient == nullptr) return;
      RotateCall back = call;
      back.x = gradient;
      back.back = !call.back;
      later.backend().rotate({&back, 1});
    });
  }
  context.backend().rotate(calls);
}

}  // namespace r1
