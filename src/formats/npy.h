// NumPy's .npy files of float32 arrays in row-major order.
// Source: numpy.lib.format, "Format Version 1.0" to "3.0".
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace r1 {

/// values.size() must be the product of `shape` (else Error(invalid_argument)); Error(io) when the system
/// refuses. The file appears whole or not at all.
void write_npy(const std::filesystem::path& path, std::span<const int64_t> shape,
               std::span<const float> values);

}  // namespace r1
