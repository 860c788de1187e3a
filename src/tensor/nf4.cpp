#include "tensor/nf4.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "tensor/dynamic_code.h"

namespace r1 {
namespace {

constexpr std::array<float, 16> kValues = {-1.0F,          -0.696192801F,  -0.5250730515F,  -0.3949174881F,
                                           -0.2844413817F, -0.1847734302F, -0.09105003625F, 0.0F,
                                           0.07958029956F, 0.1609302014F,  0.2461123019F,   0.3379152417F,
                                           0.4407098293F,  0.5626170039F,  0.7229568362F,   1.0F};

constexpr std::array<float, 15> make_middles() {
  std::array<float, 15> middles{};
  for (size_t i = 0; i < middles.size(); ++i) middles[i] = 0.5F * (kValues[i] + kValues[i + 1]);
  return middles;
}
constexpr std::array<float, 15> kMiddles = make_middles();

uint8_t nearest(float x) {
  int place = 0;
  for (int step = 8; step > 0; step /= 2) place += kMiddles[place + step - 1] < x ? step : 0;
  return static_cast<uint8_t>(place);
}

}  // namespace

std::span<const float, 16> nf4_values() {
  return kValues;
}

int64_t nf4_scale_count(int64_t rows, int64_t columns) {
  const int64_t blocks = rows * (columns / kNf4Block);
  return 1 + (blocks + kNf4SuperBlock - 1) / kNf4SuperBlock;
}

void quantise_nf4(int64_t rows, int64_t columns, const std::function<void(int64_t, std::span<float>)>& read,
                  std::span<float> largest, std::byte* data, float* scales) {
  const int64_t row_blocks = columns / kNf4Block;
  const int64_t blocks = rows * row_blocks;
  std::vector<float> row(static_cast<size_t>(columns));
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    read(r, row);
    for (int64_t b = 0; b < row_blocks; ++b) {
      float most = 0;
      for (int64_t i = 0; i < kNf4Block; ++i) {
        const float value = std::fabs(row[b * kNf4Block + i]);
        if (!std::isfinite(value)) {
          throw_error(ErrorKind::invalid_argument,
                      "NF4: row {}, column {}: expected a finite value, found {}", r, b * kNf4Block + i,
                      row[b * kNf4Block + i]);
        }
        most = std::max(most, value);
      }
      largest[r * row_blocks + b] = most;
      sum += most;
    }
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(std::max<int64_t>(blocks, 1)));
  scales[0] = mean;
  const DynamicCode& code = DynamicCode::of_signed();
  for (int64_t first = 0; first < blocks; first += kNf4SuperBlock) {
    const int64_t end = std::min(first + kNf4SuperBlock, blocks);
    float scale = 0;
    for (int64_t b = first; b < end; ++b) scale = std::max(scale, std::fabs(largest[b] - mean));
    scales[1 + first / kNf4SuperBlock] = scale;
    for (int64_t b = first; b < end; ++b) {
      const float share = scale > 0 ? (largest[b] - mean) / scale : 0;
      data[b * kNf4BlockBytes] = static_cast<std::byte>(code.nearest(share));
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    read(r, row);
    for (int64_t b = 0; b < row_blocks; ++b) {
      const float most = largest[r * row_blocks + b];
      const float inverse = most > 0 ? 1 / most : 0;
      const float* values = row.data() + b * kNf4Block;
      std::byte* out = data + (r * row_blocks + b) * kNf4BlockBytes + 1;
      for (int64_t i = 0; i < kNf4Block; i += 2) {
        const auto packed = nearest(values[i] * inverse) << 4 | nearest(values[i + 1] * inverse);
        out[i / 2] = static_cast<std::byte>(packed);
      }
    }
  }
}

void nf4_block_scales(const std::byte* blocks, int64_t first_block, const float* scales,
                      std::span<float> scales_out) {
  const DynamicCode& code = DynamicCode::of_signed();
  for (size_t b = 0; b < scales_out.size(); ++b) {
    const auto super_block = static_cast<size_t>(first_block + static_cast<int64_t>(b)) / kNf4SuperBlock;
    const auto stored = std::to_integer<uint8_t>(blocks[b * kNf4BlockBytes]);
    scales_out[b] = code.value(stored) * scales[1 + super_block] + scales[0];
  }
}

void dequantise_nf4(const std::byte* blocks, int64_t first_block, const float* scales,
                    std::span<float> values) {
  const int64_t count = static_cast<int64_t>(values.size()) / kNf4Block;
  for (int64_t b = 0; b < count; ++b) {
    const auto* block = reinterpret_cast<const uint8_t*>(blocks) + b * kNf4BlockBytes;
    float scale = 0;
    nf4_block_scales(blocks + b * kNf4BlockBytes, first_block + b, scales, {&scale, 1});
    float table[16];
    for (int i = 0; i < 16; ++i) table[i] = kValues[i] * scale;
    float* out = values.data() + b * kNf4Block;
    for (int64_t i = 0; i < kNf4Block / 2; ++i) {
      out[2 * i] = table[block[1 + i] >> 4];
      out[2 * i + 1] = table[block[1 + i] & 15];
    }
  }
}

}  // namespace r1
