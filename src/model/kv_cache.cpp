#include "model/kv_cache.h"

#include <algorithm>
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

void check(const KvLayerShape& layer) {
  constexpr int64_t kMax = int64_t{1} << 24;  // far above any model; keeps products in range
  if (layer.heads < 1 || layer.key_columns < 1 || layer.value_columns < 0 || layer.heads > kMax ||
      layer.key_columns > kMax || layer.value_columns > kMax) {
    throw_error(ErrorKind::invalid_argument,
                "KV cache: impossible layer of {} heads, {} key and {} value columns", layer.heads,
                layer.key_columns, layer.value_columns);
  }
}

}  // namespace

void KvCache::place_layers(bool one_layer, const Placement& placement) {
  std::vector<size_t> offsets;  // of the next layer in each part's block
  for (size_t index = 0; index < layers_.size(); ++index) {
    const KvLayerShape& layer = layers_[index];
    check(layer);
    DeviceMemory& memory = placement.layer(static_cast<int64_t>(index));
    LayerPlace place;
    place.part = static_cast<size_t>(
        std::ranges::find(parts_, &memory, [](const Part& part) { return part.memory; }) - parts_.begin());
    if (place.part == parts_.size()) {
      parts_.emplace_back().memory = &memory;
      offsets.push_back(0);
    }
    size_t& offset = offsets[place.part];
    if (one_layer) offset = 0;
    const auto rows = static_cast<size_t>(layer.heads * kBlockTokens);
    place.key_row = head_row_bytes(key_dtype_, layer.key_columns);
    place.keys = offset;
    offset += round_up(checked_product(rows, place.key_row));
    place.values = offset;
    if (layer.value_columns > 0) {
      place.value_row = head_row_bytes(value_dtype_, layer.value_columns);
      offset += round_up(checked_product(rows, place.value_row));
    }
    parts_[place.part].block_bytes = std::max(parts_[place.part].block_bytes, offset);
    places_.push_back(place);
  }
}

KvCache::KvCache(std::vector<KvLayerShape> layers, int64_t blocks, DType key_dtype, DType value_dtype,
                 Sharing sharing, const Placement& placement)
    : layers_(std::move(layers)), blocks_(blocks), key_dtype_(key_dtype), value_dtype_(value_dtype) {
  if (blocks < 1 || blocks > std::numeric_limits<int32_t>::max()) {
    throw_error(ErrorKind::invalid_argument, "KV cache: {} blocks, expected 1 to 2^31-1", blocks);
  }
  place_layers(sharing == Sharing::one_layer, placement);
  for (Part& part : parts_) {
    const size_t bytes = checked_product(static_cast<size_t>(blocks), part.block_bytes);
    try {
      // A block of all layers is one run, so that a large page serves blocks in use.
      part.data = DeviceBytes(*part.memory, bytes, DeviceMemory::Purpose::cache);
    } catch (const Error& error) {
      throw_error(error.kind(), "KV cache: {} blocks of {} bytes: {}", blocks, part.block_bytes,
                  error.what());
    }
  }
}

size_t KvCache::block_bytes(const std::vector<KvLayerShape>& layers, DType key_dtype, DType value_dtype) {
  const KvCache one(layers, 1, key_dtype, value_dtype);  // reserves, but touches nothing
  return one.parts_.empty() ? 0 : one.parts_[0].block_bytes;
}

KvCache::Plane KvCache::plane(const LayerPlace& place, size_t offset, size_t row, DType dtype) const {
  const Part& part = parts_[place.part];
  return {part.data.get() + offset, part.block_bytes, row, row * kBlockTokens, dtype};
}

KvCache::Plane KvCache::keys(int64_t layer) const {
  const LayerPlace& place = places_.at(static_cast<size_t>(layer));
  return plane(place, place.keys, place.key_row, key_dtype_);
}

KvCache::Plane KvCache::values(int64_t layer) const {
  const LayerPlace& place = places_.at(static_cast<size_t>(layer));
  // MLA: the values are the first columns of the key rows.
  if (layers_[static_cast<size_t>(layer)].value_columns == 0) return keys(layer);
  return plane(place, place.values, place.value_row, value_dtype_);
}

void KvCache::copy_block(int32_t from, int32_t to, int64_t tokens) {
  if (from < 0 || from >= blocks_ || to < 0 || to >= blocks_ || tokens < 0 || tokens > kBlockTokens) {
    throw_error(ErrorKind::invalid_argument,
                "KV cache: cannot copy {} tokens of block {} to {}, there are {} blocks of {}", tokens, from,
                to, blocks_, kBlockTokens);
  }
  if (from == to) return;
  const auto count = static_cast<size_t>(tokens);
  for (size_t index = 0; index < layers_.size(); ++index) {
    const LayerPlace& place = places_[index];
    const Part& part = parts_[place.part];
    const std::byte* source = part.data.get() + static_cast<size_t>(from) * part.block_bytes;
    std::byte* target = part.data.get() + static_cast<size_t>(to) * part.block_bytes;
    const auto copy_rows = [&](size_t offset, size_t bytes) {
      part.memory->copy(target + offset, source + offset, bytes);
    };
    for (int64_t head = 0; head < layers_[index].heads; ++head) {
      const auto run = static_cast<size_t>(head * kBlockTokens);
      copy_rows(place.keys + run * place.key_row, count * place.key_row);
      copy_rows(place.values + run * place.value_row, count * place.value_row);
    }
  }
}

}  // namespace r1
