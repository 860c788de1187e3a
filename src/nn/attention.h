// Causal attention over a paged cache, for all slices of a packed batch at once.
#pragma once

#include <span>

#include "nn/context.h"

namespace r1 {

/// Runs kernels::attention over slices × heads × chunks of rows. The keys and values of the slices' own
/// positions are in the cache already.
void paged_attention(Context& context, const kernels::AttentionShape& shape,
                     std::span<const kernels::AttentionSlice> slices);

}  // namespace r1
