// Random stored tensors, drawn block by block without quantising anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace r1 {

/// Fills `target` (whole blocks of `dtype`) with random weights of mean about 0 and standard deviation about
/// `deviation`. The result depends on the arguments alone; `counter` should differ for each call of a seed by
/// at least target.size(). Throws Error(unsupported) for an integer type.
void fill_random_blocks(DType dtype, std::span<std::byte> target, float deviation, uint64_t seed,
                        uint64_t counter);

}  // namespace r1
