// A cache that one sequence has to itself.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "model/model.h"

namespace r1 {

class SequenceCache {
 public:
  /// Room for `tokens` tokens. Types: as for KvCache.
  SequenceCache(const Model& model, int64_t tokens, DType key_dtype, DType value_dtype)
      : cache_(model.kv_layers(), KvCache::blocks_for(tokens), key_dtype, value_dtype, KvCache::Sharing::none,
               model.placement()),
        blocks_(static_cast<size_t>(KvCache::blocks_for(tokens))) {
    std::iota(blocks_.begin(), blocks_.end(), 0);
  }

  KvCache& cache() { return cache_; }
  /// The next `rows` tokens of the sequence, from position `first_position` on. Valid as long as the cache.
  SequenceSlice slice(int64_t rows, int64_t first_position, const Adapter* adapter = nullptr) const {
    return {rows, first_position, blocks_, adapter};
  }

 private:
  KvCache cache_;
  std::vector<int32_t> blocks_;
};

}  // namespace r1
