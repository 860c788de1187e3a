#include "model/kv_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

constexpr size_t kAlignment = 64;  // of every layer's keys and values inside a block

size_t round_up(size_t value) {
  return (value + kAlignment - 1) / kAlignment * kAlignment;
}

size_t checked_product(size_t a, size_t b) {
  size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) {
    throw_error(ErrorKind::out_of_memory, "KV cache: {} x {} bytes do not fit into the address space", a, b);
  }
  return product;
}

/// One head's row of `columns` elements.
size_t head_row_bytes(DType dtype, int64_t columns) {
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::q8_0 && dtype != DType::q4_0) {
    throw_error(ErrorKind::unsupported, "KV cache: type {}, expected F32, F16, Q8_0 or Q4_0", name(dtype));
  }
  if (columns % info(dtype).block_elements != 0) {
    throw_error(ErrorKind::unsupported, "KV cache: type {} needs heads of a multiple of {} columns, found {}",
                name(dtype), info(dtype).block_elements, columns);
  }
  return row_bytes(dtype, columns);
}

/// One layer inside a block: [heads][tokens][row] of keys, then the same of values. All tokens of a head lie
/// together, so that attention, which works on one key/value head at a time, reads one run.
struct LayerPlace {
  size_t keys, values;  // offsets from the start of a block
  size_t key_row, value_row;
};

std::vector<LayerPlace> place_layers(const std::vector<KvLayerShape>& layers, DType key_dtype,
                                     DType value_dtype, bool one_layer, size_t* block_bytes) {
  constexpr int64_t kMost = int64_t{1} << 24;  // far above any model; keeps the products below in range
  std::vector<LayerPlace> places;
  size_t offset = 0;
  size_t most = 0;
  for (const KvLayerShape& layer : layers) {
    if (one_layer) offset = 0;
    if (layer.heads < 1 || layer.key_columns < 1 || layer.value_columns < 0 || layer.heads > kMost ||
        layer.key_columns > kMost || layer.value_columns > kMost) {
      throw_error(ErrorKind::invalid_argument,
                  "KV cache: impossible layer of {} heads, {} key and {} value columns", layer.heads,
                  layer.key_columns, layer.value_columns);
    }
    LayerPlace place{};
    const auto rows = static_cast<size_t>(layer.heads * KvCache::kBlockTokens);
    place.key_row = head_row_bytes(key_dtype, layer.key_columns);
    place.keys = offset;
    offset += round_up(checked_product(rows, place.key_row));
    place.values = offset;
    if (layer.value_columns > 0) {
      place.value_row = head_row_bytes(value_dtype, layer.value_columns);
      offset += round_up(checked_product(rows, place.value_row));
    }
    places.push_back(place);
    most = std::max(most, offset);
  }
  *block_bytes = most;
  return places;
}

}  // namespace

struct KvCache::Memory {
  std::vector<LayerPlace> places;
  size_t block_bytes = 0;
  size_t bytes = 0;
  std::byte* data = nullptr;

  ~Memory() {
    if (data != nullptr) ::munmap(data, bytes);
  }
};

KvCache::KvCache(std::vector<KvLayerShape> layers, int64_t blocks, DType key_dtype, DType value_dtype,
                 Sharing sharing)
    : layers_(std::move(layers)),
      blocks_(blocks),
      key_dtype_(key_dtype),
      value_dtype_(value_dtype),
      memory_(std::make_unique<Memory>()) {
  if (blocks < 1 || blocks > std::numeric_limits<int32_t>::max()) {
    throw_error(ErrorKind::invalid_argument, "KV cache: {} blocks, expected 1 to 2^31-1", blocks);
  }
  memory_->places =
      place_layers(layers_, key_dtype, value_dtype, sharing == Sharing::one_layer, &memory_->block_bytes);
  memory_->bytes = checked_product(static_cast<size_t>(blocks), memory_->block_bytes);
  if (memory_->bytes == 0) return;  // no layers
  void* data = ::mmap(nullptr, memory_->bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    throw_error(ErrorKind::out_of_memory,
                "KV cache: the system refused to reserve {} bytes ({} blocks of {})", memory_->bytes, blocks,
                memory_->block_bytes);
  }
  memory_->data = static_cast<std::byte*>(data);
  // A block of all layers is one run, so a large page serves blocks in use. Only a wish: failure is harmless.
  ::madvise(data, memory_->bytes, MADV_HUGEPAGE);
}

KvCache::~KvCache() = default;

size_t KvCache::block_bytes(const std::vector<KvLayerShape>& layers, DType key_dtype, DType value_dtype) {
  size_t bytes = 0;
  place_layers(layers, key_dtype, value_dtype, false, &bytes);
  return bytes;
}

KvCache::Plane KvCache::keys(int64_t layer) const {
  const LayerPlace& place = memory_->places.at(static_cast<size_t>(layer));
  return {memory_->data + place.keys, memory_->block_bytes, place.key_row, place.key_row * kBlockTokens};
}

KvCache::Plane KvCache::values(int64_t layer) const {
  const LayerPlace& place = memory_->places.at(static_cast<size_t>(layer));
  // MLA: the values are the first columns of the key rows.
  if (layers_[static_cast<size_t>(layer)].value_columns == 0) return keys(layer);
  return {memory_->data + place.values, memory_->block_bytes, place.value_row,
          place.value_row * kBlockTokens};
}

void KvCache::copy_block(int32_t from, int32_t to, int64_t tokens) {
  if (from < 0 || from >= blocks_ || to < 0 || to >= blocks_ || tokens < 0 || tokens > kBlockTokens) {
    throw_error(ErrorKind::invalid_argument,
                "KV cache: cannot copy {} tokens of block {} to {}, there are {} blocks of {}", tokens, from,
                to, blocks_, kBlockTokens);
  }
  if (from == to) return;
  const std::byte* source = memory_->data + static_cast<size_t>(from) * memory_->block_bytes;
  std::byte* target = memory_->data + static_cast<size_t>(to) * memory_->block_bytes;
  for (size_t index = 0; index < layers_.size(); ++index) {
    const LayerPlace& place = memory_->places[index];
    for (int64_t head = 0; head < layers_[index].heads; ++head) {
      const auto run = static_cast<size_t>(head * kBlockTokens);
      const auto count = static_cast<size_t>(tokens);
      std::memcpy(target + place.keys + run * place.key_row, source + place.keys + run * place.key_row,
                  count * place.key_row);
      std::memcpy(target + place.values + run * place.value_row,
                  source + place.values + run * place.value_row, count * place.value_row);
    }
  }
}

}  // namespace r1
