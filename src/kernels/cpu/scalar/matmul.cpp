// The matrix kernels in plain C++: what the other sets' results must equal, bit for bit.
#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_scalar.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::scalar {
namespace {

#include "kernels/cpu/matmul_float.inc.h"
#include "kernels/cpu/matmul_quantised.inc.h"
#include "kernels/cpu/quantise_rows.inc.h"

struct Isa {
  static constexpr bool kSignedWide = false;

  static Unpacker unpacker(DType) { return nullptr; }

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    const int factor_stride = has_minimums ? 48 : 32;
    for (int64_t r = 0; r < call.rows; r++) {
      float* const sums = call.sums + r * kOutputPanel;
      for (int64_t g = 0; g < call.columns / group; g++) {
        const float* const factors = call.factors + g * factor_stride;
        const float x_scale = call.scales[r * call.scale_stride + g * group / kActivationGroup];
        for (int o = 0; o < kOutputPanel; o++) {
          int32_t sum = has_minimums ? 0 : call.initial[r * call.group_stride + g] - kMagicBits;
          for (int64_t c = g * group; c < (g + 1) * group; c++)
            sum +=
                call.weights[(c / 4 * kOutputPanel + o) * 4 + c % 4] * call.values[r * call.value_stride + c];
          const float product = static_cast<float>(sum) * factors[o];
          sums[o] = std::fma(product, x_scale, sums[o]);
          if (has_minimums)
            sums[o] = std::fma(factors[32 + o], call.weighted_sums[r * call.group_stride + g], sums[o]);
        }
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
