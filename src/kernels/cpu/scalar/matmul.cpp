// The matrix kernels in plain C++: what the other sets' results must equal, bit for bit.
#include "kernels/cpu/entries.h"
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

int64_t multiply_peak(int64_t rounds) {
  constexpr int kChains = 4;
  int32_t sum[kChains] = {1, 2, 3, 4};
  for (int64_t round = 0; round < rounds; ++round) {
    for (int32_t& chain : sum) {
      int32_t product = 3;
      asm volatile("imull %2, %0\n\taddl %0, %1" : "+r"(product), "+r"(chain) : "r"(5));
    }
  }
  return rounds * kChains * 2;
}

}  // namespace

void enter_matmul(KernelTable& table) {
  table.quantise_rows = quantise_rows_body;
  table.matmul_quantised = matmul_quantised_body<Isa>;
  table.matmul_float = matmul_float_body<4>;
  table.multiply_peak = multiply_peak;
}

}  // namespace r1::kernels::scalar
