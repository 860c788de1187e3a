// Rows of activations on their way between ops, in the forms that a backend made of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nn/weight.h"

namespace r1 {

/// Which rows of a batch these are: adapters are chosen by it.
enum class RowSet {
  other,   // rows of another kind (an expert's): adapters do not reach them
  all,     // of the whole batch
  wanted,  // those whose logits are wanted
};

/// How finely a backend that rounds activations may do it.
enum class Rounding {
  plain,
  careful,  // finer where the reading layers are stored so finely that rounding is nearly all their error
  finest,   // goes straight into the result: finer whatever the layers' type
};

/// The layers that will read rows: a backend prepares what their products take. They are named where the rows
/// are made, since that costs least.
struct Readers {
  std::span<const Linear* const> layers = {};
  Rounding rounding = Rounding::plain;
};

/// A backend's own form of some rows (the CPU's int8 ones). Nobody else looks inside.
struct PreparedRows {
  std::byte* memory = nullptr;  // null: there are none
  int64_t total = 0;            // rows in the memory
  int64_t first = 0;            // … of which these begin here
  int32_t form = 0;
};

/// Row r's float32 columns at values + r · stride. Memory of the device, not owned.
struct Activations {
  const float* values = nullptr;  // null: only prepared
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
  PreparedRows prepared = {};
  RowSet row_set = RowSet::other;

  /// Rows [first, first + count).
  Activations slice(int64_t first, int64_t count) const {
    Activations part = *this;
    part.rows = count;
    if (values != nullptr) part.values += first * stride;
    part.prepared.first += first;
    return part;
  }
};

}  // namespace r1
