// A model whose logits are a hash of the sequence's own tokens as they are read back from the cache: any
// fault of block tables, prefix sharing, copying or preemption changes the text at once.
#pragma once

#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "model/model.h"

namespace r1 {

/// Layer 0 stores the token as the key and the hash of all tokens up to it as the value (two floats of 16
/// bits each). About half of the logits depend on the last two tokens alone, so that text repeats itself.
class FakeModel : public Model {
 public:
  explicit FakeModel(int64_t vocabulary = 23, int64_t context_length = 1024) {
    info_.architecture = "fake";
    info_.vocabulary = vocabulary;
    info_.context_length = context_length;
    info_.layers = 2;
  }

  const ModelInfo& info() const override { return info_; }
  std::vector<KvLayerShape> kv_layers() const override { return {{1, 1, 2}, {1, 2, 1}}; }

  mutable int64_t forwards = 0;
  mutable int64_t rows = 0;
  mutable int64_t largest_batch = 0;
  mutable std::string failure;                    // the next forward throws it
  mutable std::function<void()> before_layer;     // called where a real model asks `cancelled`
  mutable std::function<void(float*)> on_logits;  // may spoil a row
  mutable uint64_t weights = 0;                   // another value: another model
  mutable std::function<uint64_t(const Adapter*)> adapter_weights;  // 0, or what an adapter adds to them

  void forward(Context&, const Batch& batch, KvCache& cache, float* logits,
               const std::function<bool()>& cancelled) const override {
    ++forwards;
    rows += std::ssize(batch.tokens);
    largest_batch = std::max(largest_batch, static_cast<int64_t>(std::ssize(batch.tokens)));
    if (!failure.empty()) throw_error(ErrorKind::io, "{}", std::exchange(failure, ""));
    const KvCache::Plane keys = cache.keys(0);
    const KvCache::Plane values = cache.values(0);
    const KvCache::Plane keys1 = cache.keys(1);
    int64_t row = 0;
    size_t output = 0;
    for (const SequenceSlice& slice : batch.slices) {
      if (before_layer) before_layer();
      if (cancelled && cancelled()) throw_error(ErrorKind::cancelled, "cancelled");
      const auto address = [&](const KvCache::Plane& plane, int64_t position) {
        return plane.data + slice.blocks[position / KvCache::kBlockTokens] * plane.block_stride +
               position % KvCache::kBlockTokens * plane.token_bytes;
      };
      const auto read = [&](const KvCache::Plane& plane, int64_t position, int64_t index) {
        float value;
        std::memcpy(&value, address(plane, position) + index * sizeof(float), sizeof(value));
        return value;
      };
      const auto write = [&](const KvCache::Plane& plane, int64_t position, int64_t index, float value) {
        std::memcpy(address(plane, position) + index * sizeof(float), &value, sizeof(value));
      };
      for (int64_t index = 0; index < slice.rows; ++index, ++row) {
        const int64_t position = slice.first_position + index;
        const int32_t token = batch.tokens[row];
        if (token < 0 || token >= info_.vocabulary) throw std::logic_error("token outside the vocabulary");
        write(keys, position, 0, static_cast<float>(token));
        write(keys1, position, 0, static_cast<float>(position));
        write(keys1, position, 1, static_cast<float>(token));
        const uint64_t salt = adapter_weights ? mix_bits(weights + adapter_weights(slice.adapter)) : weights;
        uint64_t hash = salt;
        for (int64_t past = 0; past <= position; ++past) {
          if (past < position && read(keys1, past, 0) != static_cast<float>(past)) {
            throw std::logic_error("the cache holds another position");
          }
          if (read(keys1, past, 1) != read(keys, past, 0)) throw std::logic_error("the layers differ");
          hash = mix_bits(hash ^ static_cast<uint64_t>(read(keys, past, 0)));
          if (past < position && (read(values, past, 0) != static_cast<float>(hash & 0xffffU) ||
                                  read(values, past, 1) != static_cast<float>((hash >> 16) & 0xffffU))) {
            throw std::logic_error("the cache holds another sequence's past");
          }
        }
        write(values, position, 0, static_cast<float>(hash & 0xffffU));
        write(values, position, 1, static_cast<float>((hash >> 16) & 0xffffU));
        if (output == batch.output_rows.size() || batch.output_rows[output] != row) continue;
        uint64_t seed = hash;
        if (hash % 3 != 0) seed = mix_bits(static_cast<uint64_t>(token) ^ salt);
        float* out = logits + static_cast<int64_t>(output) * info_.vocabulary;
        for (int64_t id = 0; id < info_.vocabulary; ++id) {
          out[id] = static_cast<float>(6 * random_uniform(seed, id));
        }
        if (on_logits) on_logits(out);
        ++output;
      }
    }
    if (row != std::ssize(batch.tokens) || output != batch.output_rows.size()) {
      throw std::logic_error("the batch does not add up");
    }
  }

 private:
  ModelInfo info_;
};

}  // namespace r1
