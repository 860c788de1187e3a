// Ops that work on each row, or each element, alone. With a tape each records its backward.
#pragma once

#include <cstdint>
#include <span>

#include "nn/context.h"

namespace r1 {

class Tape;

/// out [tokens, table.inputs]: rows of a stored embedding table of any dtype. Tokens must lie in the table.
void embed(Context& context, const Weight& table, std::span<const int32_t> tokens, float* out);

/// x [rows, columns] += addend (unless null), then rms_norm(x) · weight, row by row. Result in the arena:
/// float32, and what the readers take.
Activations add_rms_norm(Context& context, float* x, const float* addend, const WeightVector& weight,
                         int64_t rows, int64_t columns, float epsilon, const Readers& readers = {},
                         RowSet row_set = RowSet::other);

/// x += addend, element by element.
void add_in_place(Context& context, float* x, const float* addend, int64_t count);
/// The gradient of `to` gets that of `from` added.
void copy_gradient(Context& context, Tape& tape, const float* from, const float* to, int64_t count);

/// silu(gate) · up, element by element, both [rows, columns]. The result may overwrite gate (with a tape it
/// lies in the arena).
Activations swiglu(Context& context, float* gate, const float* up, int64_t rows, int64_t columns,
                   const Readers& readers = {}, RowSet row_set = RowSet::other);

}  // namespace r1
