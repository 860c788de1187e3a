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
  context.parallel_for(rows, rows > 2, [&](int64_t row, int) {
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(positions[row]) * rope.inverse[i];
      cosines[row * pairs + i] = static_cast<float>(std::cos(angle) * rope.magnitude);
      sines[row * pairs + i] = static_cast<float>(std::sin(angle) * rope.magnitude);
    }
  });
  return {cosines, sines, pairs};
}

namespace {

// With sign 1 forwards, with -1 the transpose: backwards.
void turn(RopeStyle style, const RopeTable& table, int64_t row, float sign, float* head) {
  const float* cosines = table.cosines + row * table.pairs;
  const float* sines = table.sines + row * table.pairs;
  const int64_t step = style == RopeStyle::interleaved ? 2 : 1;
  const int64_t distance = style == RopeStyle::interleaved ? 1 : table.pairs;
  float* __restrict first = head;
  float* __restrict second = head + distance;
  if (step == 1) {
    for (int64_t i = 0; i < table.pairs; ++i) {
      const float a = first[i];
      const float b = second[i];
      first[i] = a * cosines[i] - b * (sign * sines[i]);
      second[i] = a * (sign * sines[i]) + b * cosines[i];
    }
    return;
  }
  for (int64_t i = 0; i < table.pairs; ++i) {
    const float a = head[2 * i];
    const float b = head[2 * i + 1];
    head[2 * i] = a * cosines[i] - b * (sign * sines[i]);
    head[2 * i + 1] = a * (sign * sines[i]) + b * cosines[i];
  }
}

}  // namespace

void rotate(RopeStyle style, const RopeTable& table, int64_t row, float* head) {
  turn(style, table, row, 1.0F, head);
}

void rotate_back(RopeStyle style, const RopeTable& table, int64_t row, float* head) {
  turn(style, table, row, -1.0F, head);
}

void record_rotation(Context& context, RopeStyle style, const RopeTable& table, const float* x, int64_t rows,
                     int64_t heads, int64_t columns) {
  Tape* tape = context.tape();
  if (tape == nullptr) return;
  tape->record([=](Context& own) {
    float* gradient = tape->find(x);
    if (gradient == nullptr) return;
    own.parallel_for(rows, rows > 4, [&](int64_t row, int) {
      for (int64_t head = 0; head < heads; ++head) {
        turn(style, table, row, -1.0F, gradient + (row * heads + head) * columns);
      }
    });
  });
}

}  // namespace r1
