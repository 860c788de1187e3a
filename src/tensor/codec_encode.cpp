// Encoders: the search of codec_search.h, then the packing of each type. Layouts: tensor/blocks.h.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"
#include "tensor/codec_search.h"
#include "tensor/float_formats.h"

namespace r1 {
namespace {

using codec::BlockFit;
using codec::BlockForm;

template <typename Block>
void store_block(const Block& block, std::byte* target) {
  std::memcpy(target, &block, sizeof(Block));
}

uint8_t nibbles(int low, int high) {
  return static_cast<uint8_t>(low | (high << 4));
}

/// Q4_0 and the like: byte j holds weights j and j + 16, each plus `offset`; a fifth bit goes to high_bits.
void pack_32(const int8_t* q, int offset, uint8_t* packed, uint8_t* high_bits) {
  if (high_bits != nullptr) std::memset(high_bits, 0, 4);
  for (int j = 0; j < 32; ++j) {
    const int value = q[j] + offset;
    if (j < 16) {
      packed[j] = static_cast<uint8_t>(value & 15);
    } else {
      packed[j - 16] = static_cast<uint8_t>(packed[j - 16] | ((value & 15) << 4));
    }
    if (high_bits != nullptr)
      high_bits[j / 8] = static_cast<uint8_t>(high_bits[j / 8] | ((value >> 4) << (j % 8)));
  }
}

void pack_q4_0(const BlockFit& fit, std::byte* target) {
  BlockQ4_0 block{.d = fit.d, .nibbles = {}};
  pack_32(fit.q, 8, block.nibbles, nullptr);
  store_block(block, target);
}

void pack_q4_1(const BlockFit& fit, std::byte* target) {
  BlockQ4_1 block{.d = fit.d, .m = static_cast<uint16_t>(fit.dmin ^ 0x8000), .nibbles = {}};
  pack_32(fit.q, 0, block.nibbles, nullptr);
  store_block(block, target);
}

void pack_q5_0(const BlockFit& fit, std::byte* target) {
  BlockQ5_0 block{.d = fit.d, .high_bits = {}, .nibbles = {}};
  pack_32(fit.q, 16, block.nibbles, block.high_bits);
  store_block(block, target);
}

void pack_q5_1(const BlockFit& fit, std::byte* target) {
  BlockQ5_1 block{.d = fit.d, .m = static_cast<uint16_t>(fit.dmin ^ 0x8000), .high_bits = {}, .nibbles = {}};
  pack_32(fit.q, 0, block.nibbles, block.high_bits);
  store_block(block, target);
}

void pack_q8_0(const BlockFit& fit, std::byte* target) {
  BlockQ8_0 block{.d = fit.d, .q = {}};
  std::memcpy(block.q, fit.q, 32);
  store_block(block, target);
}

/// Two low bits of each weight, as Q2_K and Q3_K keep them.
void pack_crumbs(const BlockFit& fit, int offset, uint8_t* crumbs) {
  std::memset(crumbs, 0, 64);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int part = i / 32 % 4;
    uint8_t& byte = crumbs[32 * half + i % 32];
    byte = static_cast<uint8_t>(byte | (((fit.q[i] + offset) & 3) << (2 * part)));
  }
}

void pack_q2_k(const BlockFit& fit, std::byte* target) {
  BlockQ2K block{.scales = {}, .crumbs = {}, .d = fit.d, .dmin = fit.dmin};
  for (int j = 0; j < 16; ++j) block.scales[j] = nibbles(fit.scales[j], fit.minimums[j]);
  pack_crumbs(fit, 0, block.crumbs);
  store_block(block, target);
}

void pack_q3_k(const BlockFit& fit, std::byte* target) {
  BlockQ3K block{.high_bits = {}, .crumbs = {}, .scales = {}, .d = fit.d};
  pack_crumbs(fit, 4, block.crumbs);
  for (int i = 0; i < 256; ++i) {
    const int high = (fit.q[i] + 4) >> 2;
    block.high_bits[i % 32] = static_cast<uint8_t>(block.high_bits[i % 32] | (high << (i / 32)));
  }
  for (int j = 0; j < 16; ++j) {
    const int scale = fit.scales[j] + 32;
    uint8_t& low = block.scales[j % 8];
    uint8_t& high = block.scales[8 + j % 4];
    low = static_cast<uint8_t>(low | ((scale & 15) << (4 * (j / 8))));
    high = static_cast<uint8_t>(high | ((scale >> 4) << (2 * (j / 4))));
  }
  store_block(block, target);
}

/// See scale_min_k4 in tensor/codec_blocks.h.
void pack_scales_k4(const BlockFit& fit, uint8_t* packed) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(fit.scales[j] | ((fit.scales[j + 4] >> 4) << 6));
    packed[j + 4] = static_cast<uint8_t>(fit.minimums[j] | ((fit.minimums[j + 4] >> 4) << 6));
    packed[j + 8] = nibbles(fit.scales[j + 4] & 15, fit.minimums[j + 4] & 15);
  }
}

void pack_nibbles_k(const BlockFit& fit, uint8_t* packed) {
  for (int run = 0; run < 4; ++run) {
    const int8_t* q = fit.q + 64 * run;
    for (int l = 0; l < 32; ++l) packed[32 * run + l] = nibbles(q[l] & 15, q[l + 32] & 15);
  }
}

void pack_q4_k(const BlockFit& fit, std::byte* target) {
  BlockQ4K block{.d = fit.d, .dmin = fit.dmin, .scales = {}, .nibbles = {}};
  pack_scales_k4(fit, block.scales);
  pack_nibbles_k(fit, block.nibbles);
  store_block(block, target);
}

void pack_q5_k(const BlockFit& fit, std::byte* target) {
  BlockQ5K block{.d = fit.d, .dmin = fit.dmin, .scales = {}, .high_bits = {}, .nibbles = {}};
  pack_scales_k4(fit, block.scales);
  pack_nibbles_k(fit, block.nibbles);
  for (int i = 0; i < 256; ++i) {
    block.high_bits[i % 32] = static_cast<uint8_t>(block.high_bits[i % 32] | ((fit.q[i] >> 4) << (i / 32)));
  }
  store_block(block, target);
}

void pack_q6_k(const BlockFit& fit, std::byte* target) {
  BlockQ6K block{.nibbles = {}, .high_crumbs = {}, .scales = {}, .d = fit.d};
  for (int i = 0; i < 256; ++i) {
    const int value = fit.q[i] + 32;
    const int half = i / 128;
    const int l = i % 128;
    uint8_t& low = block.nibbles[64 * half + l % 64];
    uint8_t& high = block.high_crumbs[32 * half + l % 32];
    low = static_cast<uint8_t>(low | ((value & 15) << (4 * (l / 64))));
    high = static_cast<uint8_t>(high | ((value >> 4) << (2 * (l / 32))));
  }
  for (int j = 0; j < 16; ++j) block.scales[j] = static_cast<int8_t>(fit.scales[j]);
  store_block(block, target);
}

struct Encoder {
  BlockForm form;
  void (*pack)(const BlockFit&, std::byte*);
};

const Encoder* find_encoder(DType dtype) {
  // size, count, q, scale, minimum
  static constexpr Encoder kQ4_0 = {{32, 1, -8, 7, 1, 1, 0}, pack_q4_0};
  static constexpr Encoder kQ4_1 = {{32, 1, 0, 15, 1, 1, 1}, pack_q4_1};
  static constexpr Encoder kQ5_0 = {{32, 1, -16, 15, 1, 1, 0}, pack_q5_0};
  static constexpr Encoder kQ5_1 = {{32, 1, 0, 31, 1, 1, 1}, pack_q5_1};
  static constexpr Encoder kQ8_0 = {{32, 1, -127, 127, 1, 1, 0}, pack_q8_0};
  static constexpr Encoder kQ2K = {{16, 16, 0, 3, 0, 15, 15}, pack_q2_k};
  static constexpr Encoder kQ3K = {{16, 16, -4, 3, -32, 31, 0}, pack_q3_k};
  static constexpr Encoder kQ4K = {{32, 8, 0, 15, 0, 63, 63}, pack_q4_k};
  static constexpr Encoder kQ5K = {{32, 8, 0, 31, 0, 63, 63}, pack_q5_k};
  static constexpr Encoder kQ6K = {{16, 16, -32, 31, -128, 127, 0}, pack_q6_k};
  switch (dtype) {
    case DType::q4_0:
      return &kQ4_0;
    case DType::q4_1:
      return &kQ4_1;
    case DType::q5_0:
      return &kQ5_0;
    case DType::q5_1:
      return &kQ5_1;
    case DType::q8_0:
      return &kQ8_0;
    case DType::q2_k:
      return &kQ2K;
    case DType::q3_k:
      return &kQ3K;
    case DType::q4_k:
      return &kQ4K;
    case DType::q5_k:
      return &kQ5K;
    case DType::q6_k:
      return &kQ6K;
    default:
      return nullptr;
  }
}

template <typename Stored, typename Convert>
void convert_each(std::span<const float> values, std::byte* target, Convert convert) {
  for (size_t i = 0; i < values.size(); ++i) {
    const Stored stored = convert(values[i]);
    std::memcpy(target + i * sizeof(Stored), &stored, sizeof(Stored));
  }
}

// Beyond what any block can hold (65504 · 128 · 32); squares of smaller values do not overflow.
constexpr float kLargestInBlock = 3e8F;

void check_values(DType dtype, std::span<const float> values) {
  const float largest = is_quantised(dtype) ? kLargestInBlock : std::numeric_limits<float>::max();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(std::fabs(values[i]) <= largest)) {
      throw_error(ErrorKind::invalid_argument,
                  "element {} of a row for {}: expected a finite number of at most {}, found {}", i,
                  name(dtype), largest, values[i]);
    }
  }
}

/// What an error in each weight costs when nobody measured it: in trained models the inputs of large weights
/// tend to be large, too. Between squared error (all equal) and relative error (proportional to the weight).
std::vector<float> default_importance(std::span<const float> values) {
  double mean_square = 0;
  for (float value : values) mean_square += double{value} * value / static_cast<double>(values.size());
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    importance[i] = static_cast<float>(std::sqrt(mean_square + double{values[i]} * values[i]));
  }
  return importance;
}

uint16_t f16_checked(float value) {
  const uint16_t bits = f16_from_f32(value);
  if ((bits & 0x7fff) == 0x7c00) {
    throw_error(ErrorKind::invalid_argument, "{} does not fit F16, whose largest number is 65504", value);
  }
  return bits;
}

}  // namespace

bool can_quantise(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || find_encoder(dtype) != nullptr;
}

void quantise_row(DType dtype, std::span<const float> values, std::byte* target,
                  std::span<const float> importance) {
  row_bytes(dtype, static_cast<int64_t>(values.size()));  // refuses a part of a block
  if (!importance.empty() && importance.size() != values.size()) {
    throw_error(ErrorKind::invalid_argument,
                "a row of {} elements has {} importance weights, expected as many", values.size(),
                importance.size());
  }
  check_values(dtype, values);
  switch (dtype) {
    case DType::f32:
      std::memcpy(target, values.data(), values.size_bytes());
      return;
    case DType::f16:
      convert_each<uint16_t>(values, target, f16_checked);
      return;
    case DType::bf16:
      convert_each<uint16_t>(values, target, bf16_from_f32);
      return;
    default:
      break;
  }
  const Encoder* encoder = find_encoder(dtype);
  if (encoder == nullptr) throw_error(ErrorKind::unsupported, "{} can be read, but not written", name(dtype));
  std::vector<float> defaults;
  if (importance.empty()) importance = defaults = default_importance(values);
  const DTypeInfo& type = info(dtype);
  const auto elements = static_cast<size_t>(type.block_elements);
  for (size_t start = 0; start < values.size(); start += elements) {
    encoder->pack(
        fit_block(encoder->form, values.subspan(start, elements), importance.subspan(start, elements)),
        target);
    target += type.block_bytes;
  }
}

}  // namespace r1
