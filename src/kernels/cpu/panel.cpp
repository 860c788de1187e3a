#include "kernels/cpu/panel.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/codec.h"
#include "tensor/float_formats.h"

namespace r1::kernels {

namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

constexpr int64_t kWeightBytes = kChunkColumns * kOutputPanel;
constexpr int64_t kFactorBytes = kChunkColumns / 16 * 48 * int64_t{sizeof(float)};
constexpr int64_t kFloatPanelBytes = kFloatChunkColumns * kOutputPanel * int64_t{sizeof(float)};

int64_t sum_bytes(int64_t rows) {
  return rows * kOutputPanel * int64_t{sizeof(float)};
}

}  // namespace

size_t matmul_scratch_bytes(int64_t inputs, int64_t rows) {
  const int64_t packed = aligned(rows * (inputs / kActivationGroup) * (kActivationGroup + 3 * 4));
  const int64_t quantised = kWeightBytes + kFactorBytes + sum_bytes(rows) + packed;
  const int64_t floats = 2 * kFloatPanelBytes + sum_bytes(rows);
  return static_cast<size_t>(std::max(quantised, floats));
}

QuantisedScratch quantised_scratch(std::byte* scratch, int64_t rows) {
  std::byte* const factors = scratch + kWeightBytes;
  std::byte* const sums = factors + kFactorBytes;
  return {reinterpret_cast<uint8_t*>(scratch), reinterpret_cast<float*>(factors),
          reinterpret_cast<float*>(sums), sums + sum_bytes(rows)};
}

FloatScratch float_scratch(std::byte* scratch) {
  return {reinterpret_cast<float*>(scratch), reinterpret_cast<float*>(scratch + kFloatPanelBytes),
          reinterpret_cast<float*>(scratch + 2 * kFloatPanelBytes)};
}

QuantisedFormat quantised_format(const WeightMatrix& w, int64_t output_begin, int64_t output_end) {
  if (!is_quantised(w.dtype))
    throw_error(ErrorKind::invalid_argument, "matmul_quantised: weights of type {} are not quantised",
                name(w.dtype));
  const DTypeInfo& type = info(w.dtype);
  if (w.inputs <= 0 || w.inputs % type.block_elements != 0)
    throw_error(ErrorKind::invalid_argument,
                "matmul_quantised: weights of type {} with {} inputs, expected a multiple of {}", type.name,
                w.inputs, type.block_elements);
  if (output_begin < 0 || output_begin % kOutputPanel != 0 || output_end > w.outputs)
    throw_error(
        ErrorKind::invalid_argument,
        "matmul_quantised: outputs {} to {}, expected a range of 0 to {} that begins at a multiple of {}",
        output_begin, output_end, w.outputs, kOutputPanel);
  const IntegerForm form = integer_form(w.dtype);
  return {.dtype = w.dtype,
          .decode = integer_decoder(w.dtype),
          .block_columns = type.block_elements,
          .block_bytes = type.block_bytes,
          .group = std::min(form.group, 32),
          .has_minimums = form.has_minimums,
          .largest = form.largest};
}

PanelRows panel_rows(const WeightMatrix& w, int64_t first_output, int64_t output_end) {
  PanelRows rows{};
  for (int64_t i = 0; i < kOutputPanel; i++)
    rows.row[i] = w.data + static_cast<size_t>(std::min(first_output + i, w.outputs - 1)) * w.row_bytes;
  // Long rows are left to the processor's own prefetching, which follows sixteen streams well (measured).
  if (w.row_bytes > 4096) return rows;
  // Only whole panels are fetched ahead, so that no address past the weights is touched.
  const int64_t next = first_output + kOutputPanel;
  if (next + kOutputPanel <= std::min(output_end, w.outputs))
    rows.next = w.data + static_cast<size_t>(next) * w.row_bytes;
  return rows;
}

void decode_stored_row(const WeightMatrix& w, int64_t output, int64_t begin, int64_t count, float* out) {
  dequantise_matrix_row(w.dtype, w.data + static_cast<size_t>(output) * w.row_bytes, w.block_scales, output,
                        w.inputs, begin, {out, static_cast<size_t>(count)});
}

const float* nf4_table() {
  return nf4_values().data();
}

void nf4_row_scales(const WeightMatrix& w, int64_t output, int64_t first, int64_t blocks, float* scales) {
  const std::byte* data = w.data + static_cast<size_t>(output) * w.row_bytes + first * kNf4BlockBytes;
  nf4_block_scales(data, output * (w.inputs / kNf4Block) + first, w.block_scales,
                   {scales, static_cast<size_t>(blocks)});
}

size_t transposed_scratch_bytes() {
  return static_cast<size_t>(kTransposedFloats) * sizeof(float);
}

}  // namespace r1::kernels
