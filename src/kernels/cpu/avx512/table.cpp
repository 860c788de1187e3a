#include "kernels/cpu/functions.h"

namespace r1::kernels::avx512 {

const KernelTable table = {
    .name = "avx512",
    .quantise_rows = quantise_rows,
    .matmul_quantised = matmul_quantised,
    .matmul_float = matmul_float,
    .attention = nullptr,
    .rms_norm = nullptr,
    .swiglu = nullptr,
    .add = nullptr,
    .add_scaled = nullptr,
    .store_row = nullptr,
    .multiply_peak = multiply_peak,
    .read_peak = read_peak,
};

}  // namespace r1::kernels::avx512
