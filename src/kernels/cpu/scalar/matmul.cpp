// The matrix kernels in plain C++: what the other sets' results must equal, bit for bit.
#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_scalar.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::scalar {
namespace {

#include "kernels/cpu/matmul_quantised.inc.h"

inline bool decode_blocks(DType, const std::byte*, int64_t, int64_t, float*) {
  return false;  // the reference decoders take all
}
#include "kernels/cpu/decode_row.inc.h"

#include "kernels/cpu/matmul_float.inc.h"  // after matmul_quantised: uses its fetch()

#include "kernels/cpu/quantise_rows.inc.h"

struct Isa {
  static constexpr int kMaxRows = 1;
  static constexpr bool kSignedWide = false;

  static Unpacker unpacker(DType) { return nullptr; }

  static bool multiply_few_rows(const WeightMatrix&, int64_t, int64_t, const QuantisedRows&, int64_t, float*,
                                int64_t, std::byte*) {
    return false;
  }

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    for (int64_t column = 0; column < call.columns; column += group) {
      // One row: 32 values, their scale, and a number for each group.
      const std::byte* const packed = call.rows + column / kActivationGroup * packed_row_bytes(group);
      const auto* const values = reinterpret_cast<const int8_t*>(packed) + column % kActivationGroup;
      const auto* const numbers = reinterpret_cast<const float*>(packed + kActivationGroup);
      const float x_scale = numbers[0];
      const float number = numbers[1 + column % kActivationGroup / group];
      const float* const factors = call.factors + column / group * (has_minimums ? 48 : 32);
      for (int o = 0; o < kOutputPanel; o++) {
        int32_t sum = has_minimums ? 0 : std::bit_cast<int32_t>(number) - kMagicBits;
        for (int64_t c = 0; c < group; c++)
          sum += call.weights[((column + c) / 4 * kOutputPanel + o) * 4 + c % 4] * values[c];
        const float product = static_cast<float>(sum) * factors[o];
        call.sums[o] = std::fma(product, x_scale, call.sums[o]);
        if (has_minimums) call.sums[o] = std::fma(factors[32 + o], number, call.sums[o]);
      }
    }
  }
};

}  // namespace

void quantise_rows(const float* x, int64_t rows, int64_t columns, int64_t stride, const QuantisedRows& out) {
  quantise_rows_body(x, rows, columns, stride, out);
}

void matmul_quantised(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const QuantisedRows& x,
                      int64_t rows, float* y, int64_t y_stride, std::byte* scratch) {
  matmul_quantised_body<Isa>(w, output_begin, output_end, x, rows, y, y_stride, scratch);
}

void matmul_float(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const float* x,
                  int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch) {
  matmul_float_body<4>(w, output_begin, output_end, x, x_stride, rows, y, y_stride, scratch);
}

}  // namespace r1::kernels::scalar
