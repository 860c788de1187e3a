#include "formats/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"
#include "tensor/float_formats.h"

namespace r1 {
namespace {

/// A stream of random 64-bit words.
class Draw {
 public:
  Draw(uint64_t seed, uint64_t counter) : state_(random_bits(seed, counter)) {}
  uint64_t bits() { return mix_bits(state_ += 0x9e3779b97f4a7c15ULL); }
  void fill(void* target, size_t count) {
    auto* bytes = static_cast<std::byte*>(target);
    for (; count >= 8; count -= 8, bytes += 8) {
      const uint64_t word = bits();
      std::memcpy(bytes, &word, 8);
    }
    const uint64_t word = bits();
    std::memcpy(bytes, &word, count);
  }
  /// Sum of four uniform numbers: near enough to a normal one, deviation 1.
  float normal() {
    const uint64_t word = bits();
    int32_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int32_t>((word >> (16 * i)) & 0xffffU);
    return (static_cast<float>(sum) - 131070.0F) * (1.0F / 37837.2F);
  }

 private:
  uint64_t state_;
};

// Standard deviations of q drawn uniformly: sqrt((n² − 1) / 12) for n values.
constexpr float kDeviation4 = 1.118F;
constexpr float kDeviation8 = 2.291F;
constexpr float kDeviation16 = 4.61F;
constexpr float kDeviation32 = 9.233F;
constexpr float kDeviation64 = 18.473F;
constexpr float kDeviation256 = 73.9F;

/// Eight 6-bit scales and eight equal 6-bit minima in the packing of Q4_K and Q5_K: all between 32 and 47, so
/// that the low four bits are free.
void fill_scales_k4(Draw& draw, uint8_t* scales) {
  uint8_t low[8];
  draw.fill(low, sizeof(low));
  for (int j = 0; j < 4; ++j) {
    const uint8_t first = 32 + (low[j] & 15);       // scale and minimum j
    const uint8_t second = 32 + (low[j + 4] & 15);  // scale and minimum j + 4
    const auto high = static_cast<uint8_t>((second >> 4) << 6);
    scales[j] = first | high;
    scales[j + 4] = first | high;
    scales[j + 8] = static_cast<uint8_t>((second & 15) | ((second & 15) << 4));
  }
}
constexpr float kMeanScaleK4 = 39.8F;  // root mean square of 32 … 47

void draw_block(BlockQ4_0& block, Draw& draw, float deviation) {
  block.d = f16_from_f32(deviation / kDeviation16);
  draw.fill(block.nibbles, sizeof(block.nibbles));
}

void draw_block(BlockQ5_0& block, Draw& draw, float deviation) {
  block.d = f16_from_f32(deviation / kDeviation32);
  draw.fill(block.high_bits, sizeof(block.high_bits));
  draw.fill(block.nibbles, sizeof(block.nibbles));
}

void draw_block(BlockQ5_1& block, Draw& draw, float deviation) {
  const float factor = deviation / kDeviation32;
  block.d = f16_from_f32(factor);
  block.m = f16_from_f32(-15.5F * factor);
  draw.fill(block.high_bits, sizeof(block.high_bits));
  draw.fill(block.nibbles, sizeof(block.nibbles));
}

void draw_block(BlockQ8_0& block, Draw& draw, float deviation) {
  block.d = f16_from_f32(deviation / kDeviation256);
  draw.fill(block.q, sizeof(block.q));
}

void draw_block(BlockQ2K& block, Draw& draw, float deviation) {
  draw.fill(block.crumbs, sizeof(block.crumbs));
  // Scale and minimum of a sub-block equal, between 8 and 15; q has mean 1.5.
  draw.fill(block.scales, sizeof(block.scales));
  for (uint8_t& scale : block.scales) scale = static_cast<uint8_t>(((scale & 7) | 8) * 0x11);
  const float factor = deviation / (kDeviation4 * 11.7F);
  block.d = f16_from_f32(factor);
  block.dmin = f16_from_f32(1.5F * factor);
}

void draw_block(BlockQ3K& block, Draw& draw, float deviation) {
  draw.fill(block.high_bits, sizeof(block.high_bits));
  draw.fill(block.crumbs, sizeof(block.crumbs));
  // Scales of 6 bits less 32: high crumbs of 3 give 16 … 31.
  draw.fill(block.scales, 8);
  std::memset(block.scales + 8, 0xff, 4);
  block.d = f16_from_f32(deviation / (kDeviation8 * 23.9F));
}

void draw_block(BlockQ4K& block, Draw& draw, float deviation) {
  const float factor = deviation / (kDeviation16 * kMeanScaleK4);
  block.d = f16_from_f32(factor);
  block.dmin = f16_from_f32(7.5F * factor);
  fill_scales_k4(draw, block.scales);
  draw.fill(block.nibbles, sizeof(block.nibbles));
}

void draw_block(BlockQ5K& block, Draw& draw, float deviation) {
  const float factor = deviation / (kDeviation32 * kMeanScaleK4);
  block.d = f16_from_f32(factor);
  block.dmin = f16_from_f32(15.5F * factor);
  fill_scales_k4(draw, block.scales);
  draw.fill(block.high_bits, sizeof(block.high_bits));
  draw.fill(block.nibbles, sizeof(block.nibbles));
}

void draw_block(BlockQ6K& block, Draw& draw, float deviation) {
  draw.fill(block.nibbles, sizeof(block.nibbles));
  draw.fill(block.high_crumbs, sizeof(block.high_crumbs));
  draw.fill(block.scales, sizeof(block.scales));
  for (int8_t& scale : block.scales) scale = static_cast<int8_t>(64 + (scale & 63));
  block.d = f16_from_f32(deviation / (kDeviation64 * 97.3F));
}

template <typename Block>
void fill_blocks(std::span<std::byte> target, Draw& draw, float deviation) {
  for (size_t i = 0; i < target.size(); i += sizeof(Block)) {
    Block block;
    draw_block(block, draw, deviation);
    std::memcpy(target.data() + i, &block, sizeof(Block));
  }
}

template <typename T, typename Convert>
void fill_values(std::span<std::byte> target, Draw& draw, float deviation, Convert convert) {
  for (size_t i = 0; i < target.size(); i += sizeof(T)) {
    const T value = convert(deviation * draw.normal());
    std::memcpy(target.data() + i, &value, sizeof(T));
  }
}

/// Types without a drawing of their own: random floats through the plain encoder, slowly.
void fill_encoded(DType dtype, std::span<std::byte> target, Draw& draw, float deviation) {
  const DTypeInfo& type = info(dtype);
  if (!can_quantise(dtype))
    throw_error(ErrorKind::unsupported, "{}: random weights are not supported", type.name);
  std::vector<float> values(type.block_elements);
  for (size_t i = 0; i < target.size(); i += type.block_bytes) {
    for (float& value : values) value = deviation * draw.normal();
    quantise_row(dtype, values, target.data() + i);
  }
}

}  // namespace

void fill_random_blocks(DType dtype, std::span<std::byte> target, float deviation, uint64_t seed,
                        uint64_t counter) {
  if (target.size() % info(dtype).block_bytes != 0) {
    throw_error(ErrorKind::invalid_argument, "random {} blocks: {} bytes are no whole blocks of {}",
                name(dtype), target.size(), info(dtype).block_bytes);
  }
  Draw draw(seed, counter);
  switch (dtype) {
    case DType::f32:
      return fill_values<float>(target, draw, deviation, [](float value) { return value; });
    case DType::f16:
      return fill_values<uint16_t>(target, draw, deviation, f16_from_f32);
    case DType::bf16:
      return fill_values<uint16_t>(target, draw, deviation, bf16_from_f32);
    case DType::q4_0:
      return fill_blocks<BlockQ4_0>(target, draw, deviation);
    case DType::q5_0:
      return fill_blocks<BlockQ5_0>(target, draw, deviation);
    case DType::q5_1:
      return fill_blocks<BlockQ5_1>(target, draw, deviation);
    case DType::q8_0:
      return fill_blocks<BlockQ8_0>(target, draw, deviation);
    case DType::q2_k:
      return fill_blocks<BlockQ2K>(target, draw, deviation);
    case DType::q3_k:
      return fill_blocks<BlockQ3K>(target, draw, deviation);
    case DType::q4_k:
      return fill_blocks<BlockQ4K>(target, draw, deviation);
    case DType::q5_k:
      return fill_blocks<BlockQ5K>(target, draw, deviation);
    case DType::q6_k:
      return fill_blocks<BlockQ6K>(target, draw, deviation);
    default:
      return fill_encoded(dtype, target, draw, deviation);
  }
}

}  // namespace r1
