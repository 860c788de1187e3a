#include "engine/sampling_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace r1 {
namespace {

using Floats = float __attribute__((vector_size(16)));
using Ints = int32_t __attribute__((vector_size(16)));
constexpr int64_t kLanes = 4;

Floats load(const float* source) {
  Floats value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

Floats broadcast(float value) {
  return Floats{value, value, value, value};
}

Floats select(Ints mask, Floats yes, Floats no) {
  return reinterpret_cast<Floats>((mask & reinterpret_cast<Ints>(yes)) |
                                  (~mask & reinterpret_cast<Ints>(no)));
}

/// 2^x for x ≤ 0; 0 below -126. Taylor series of 2^f around 0 for the fraction f in [-0.5, 0.5].
Floats power_of_two(Floats x) {
  const Floats magic = broadcast(0x1.8p23F);  // adding it rounds to an integer in the low mantissa bits
  const Ints in_range = x > broadcast(-126.0F);
  const Floats clamped = select(in_range, x, broadcast(-126.0F));
  const Floats shifted = clamped + magic;
  const Floats fraction = clamped - (shifted - magic);
  Floats value = broadcast(1.5252734e-5F);
  value = value * fraction + broadcast(1.5403530e-4F);
  value = value * fraction + broadcast(1.3333558e-3F);
  value = value * fraction + broadcast(9.6181291e-3F);
  value = value * fraction + broadcast(5.5504109e-2F);
  value = value * fraction + broadcast(2.4022651e-1F);
  value = value * fraction + broadcast(6.9314718e-1F);
  value = value * fraction + broadcast(1.0F);
  const Ints exponent = reinterpret_cast<Ints>(shifted) << 23;  // the magic's own bits are shifted out
  return reinterpret_cast<Floats>((reinterpret_cast<Ints>(value) + exponent) & in_range);
}

}  // namespace

float largest_logit(std::span<const float> logits, int64_t position) {
  constexpr int64_t kStep = 4 * kLanes;
  const auto size = static_cast<int64_t>(logits.size());
  Floats largest[4];
  for (Floats& lane : largest) lane = broadcast(-std::numeric_limits<float>::infinity());
  Ints bad = {};
  int64_t index = 0;
  for (; index + kStep <= size; index += kStep) {
    for (int64_t part = 0; part < 4; ++part) {
      const Floats value = load(&logits[index + part * kLanes]);
      bad |= value != value;  // NOLINT(misc-redundant-expression): true for NaN
      largest[part] = select(value > largest[part], value, largest[part]);
    }
  }
  float result = -std::numeric_limits<float>::infinity();
  bool wrong = (bad[0] | bad[1] | bad[2] | bad[3]) != 0;
  for (const Floats& lane : largest) {
    for (int64_t part = 0; part < kLanes; ++part) result = std::max(result, lane[part]);
  }
  for (; index < size; ++index) {
    wrong |= std::isnan(logits[index]);
    result = std::max(result, logits[index]);
  }
  if (wrong || result == std::numeric_limits<float>::infinity()) {
    for (int64_t token = 0; token < size; ++token) {
      if (std::isnan(logits[token]) || logits[token] == std::numeric_limits<float>::infinity()) {
        throw_error(ErrorKind::invalid_argument,
                    "logits at position {}: token {}: expected a number, found {}", position, token,
                    logits[token]);
      }
    }
  }
  return result;
}

double softmax_weights(std::span<const float> logits, float largest, float inverse_temperature,
                       float* weights) {
  constexpr int64_t kBlock = 1024;  // summed in float, then in double
  constexpr double kLog2E = 1.4426950408889634;
  const auto size = static_cast<int64_t>(logits.size());
  const Floats scale = broadcast(static_cast<float>(inverse_temperature * kLog2E));
  const Floats shift = broadcast(largest);
  double total = 0;
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    const int64_t end = std::min(size, begin + kBlock);
    Floats sums[2] = {broadcast(0), broadcast(0)};
    int64_t index = begin;
    for (; index + 2 * kLanes <= end; index += 2 * kLanes) {
      for (int64_t part = 0; part < 2; ++part) {
        const Floats weight = power_of_two((load(&logits[index + part * kLanes]) - shift) * scale);
        sums[part] += weight;
        std::memcpy(&weights[index + part * kLanes], &weight, sizeof(weight));
      }
    }
    sums[0] += sums[1];
    total += static_cast<double>(sums[0][0] + sums[0][1]) + static_cast<double>(sums[0][2] + sums[0][3]);
    for (; index < end; ++index) {
      weights[index] = power_of_two((broadcast(logits[index]) - shift) * scale)[0];
      total += weights[index];
    }
  }
  return total;
}

void select_largest(std::span<const float> logits, int64_t count, std::vector<int32_t>& ids,
                    std::vector<float>& scratch) {
  constexpr int64_t kChunk = 64;
  const auto size = static_cast<int64_t>(logits.size());
  ids.clear();
  count = std::min(count, size);
  if (count <= 0) return;
  // The count-th largest of the chunks' maxima: at least `count` logits are no smaller than it.
  float bound = -std::numeric_limits<float>::infinity();
  const int64_t chunks = size / kChunk;
  if (count <= chunks) {
    scratch.resize(chunks);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      Floats largest = load(&logits[chunk * kChunk]);
      for (int64_t index = kLanes; index < kChunk; index += kLanes) {
        const Floats value = load(&logits[chunk * kChunk + index]);
        largest = select(value > largest, value, largest);
      }
      scratch[chunk] = std::max(std::max(largest[0], largest[1]), std::max(largest[2], largest[3]));
    }
    std::nth_element(scratch.begin(), scratch.begin() + (count - 1), scratch.end(), std::greater<>());
    bound = scratch[count - 1];
  }
  for (int64_t token = 0; token < size; ++token) {
    if (logits[token] >= bound) ids.push_back(static_cast<int32_t>(token));
  }
  if (std::ssize(ids) == count) return;
  std::nth_element(ids.begin(), ids.begin() + (count - 1), ids.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  ids.resize(count);
  std::ranges::sort(ids);
}

}  // namespace r1
