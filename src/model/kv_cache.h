// The memory of keys and values: equal blocks of tokens, each holding all layers' rows of its tokens.
// Each layer's rows lie on that layer's device. Who owns which block is the engine's business
// (engine/kv_pool.h); this is storage and addressing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/placement.h"
#include "nn/backend_calls.h"
#include "tensor/dtype.h"

namespace r1 {

/// What one layer stores for a token. MLA stores one shared row (latent and rotary key): value_columns is 0
/// and values are read from the head of the key row.
struct KvLayerShape {
  int64_t heads = 0;          // key/value heads
  int64_t key_columns = 0;    // of one head
  int64_t value_columns = 0;  // of one head
};

class KvCache {
 public:
  /// Tokens in a block. Attention sums block by block, so this is part of the arithmetic: a constant.
  static constexpr int64_t kBlockTokens = 32;

  /// The type that training computes with, and rollouts that must have its bits.
  static constexpr DType kTrainingDtype = DType::f32;
  /// Blocks that hold so many tokens.
  static constexpr int64_t blocks_for(int64_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

  /// `one_layer`: all layers use the same memory (training, where a layer's keys are not needed after it).
  enum class Sharing { none, one_layer };

  /// Memory is reserved at once and touched as used. Types: f32, f16, q8_0, q4_0; a quantised type needs
  /// columns that are multiples of 32 (Error(unsupported) otherwise).
  KvCache(std::vector<KvLayerShape> layers, int64_t blocks, DType key_dtype, DType value_dtype,
          Sharing sharing = Sharing::none, const Placement& placement = {});
  KvCache(const KvCache&) = delete;

  /// Bytes that one block takes over all layers.
  static size_t block_bytes(const std::vector<KvLayerShape>& layers, DType key_dtype, DType value_dtype);

  int64_t blocks() const { return blocks_; }
  DType key_dtype() const { return key_dtype_; }
  DType value_dtype() const { return value_dtype_; }
  const KvLayerShape& layer(int64_t index) const { return layers_[index]; }
  int64_t layers() const { return static_cast<int64_t>(layers_.size()); }

  /// Where ops find a layer's rows: memory of the layer's device.
  using Plane = CachePlane;
  Plane keys(int64_t layer) const;
  Plane values(int64_t layer) const;

  /// Copies the first `tokens` tokens of a block, all layers (a shared prefix that ends inside a block).
  void copy_block(int32_t from, int32_t to, int64_t tokens);

 private:
  /// Where a layer is inside a block: [heads][tokens][row] of keys, then the same of values. All tokens of a
  /// head lie together, so that attention, which works on one key/value head at a time, reads one run.
  struct LayerPlace {
    size_t part = 0;              // of parts_
    size_t keys = 0, values = 0;  // offsets from the start of a block
    size_t key_row = 0, value_row = 0;
  };
  /// The layers of one device.
  struct Part {
    DeviceMemory* memory = nullptr;
    size_t block_bytes = 0;
    DeviceBytes data;
  };
  void place_layers(bool one_layer, const Placement& placement);
  Plane plane(const LayerPlace& place, size_t offset, size_t row, DType dtype) const;

  std::vector<KvLayerShape> layers_;
  int64_t blocks_;
  DType key_dtype_, value_dtype_;
  std::vector<LayerPlace> places_;
  std::vector<Part> parts_;
};

}  // namespace r1
