// One view of every quantised type for the matrix kernels: small integers with a float scale and a float
// minimum for each 16 weights,
//
//     w[i] = scales[i / 16] · q[i] − minimums[i / 16],
//
// computed in float32 as one product and one difference. This gives the exact bits of the reference
// decoders (ggml's) for every type, and dequantise_row is built on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace r1 {

/// Weights that share a scale (and a minimum) at the finest, as stored. decode_integer_block repeats the
/// scale of a larger group for each 16.
struct IntegerForm {
  int group;          // 16, 32 or 256
  bool has_minimums;  // false: all minimums are 0 (and the third term may be skipped)
  int largest;        // |q| ≤ largest; 128 only for Q8_0, whose bytes may be −128 in unusual files
};

/// Throws Error(unsupported) for a type that is not quantised.
IntegerForm integer_form(DType dtype);

/// Decodes one block (16 · n weights, n = block_elements / 16): q[16 · n], scales[n], minimums[n].
/// Reads info(dtype).block_bytes bytes from `block`, at any alignment; never reads outside of them, whatever
/// they hold. Safe from any thread.
using IntegerDecoder = void (*)(const std::byte* block, int8_t* q, float* scales, float* minimums);

/// The decoder of a type, to be looked up once, outside of the loop. Throws Error(unsupported) for a type
/// that is not quantised.
IntegerDecoder integer_decoder(DType dtype);

inline void decode_integer_block(DType dtype, const std::byte* block, int8_t* q, float* scales,
                                 float* minimums) {
  integer_decoder(dtype)(block, q, scales, minimums);
}

/// The 16 values of IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace r1
