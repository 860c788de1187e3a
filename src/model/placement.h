// Which device holds, and computes, which part of a model.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/device_memory.h"

namespace r1 {

/// Weights, keys and values of a layer lie on one device. A pass moves its rows where the device changes. The
/// memories must outlive the model.
struct Placement {
  DeviceMemory* ends = &host_memory();  // embedding, last norm and output matrix
  std::vector<DeviceMemory*> layers;    // layers behind these: as `ends`

  DeviceMemory& layer(int64_t index) const {
    return index < static_cast<int64_t>(layers.size()) ? *layers[static_cast<size_t>(index)] : *ends;
  }
};

}  // namespace r1
