#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/error.h"

namespace r1 {
namespace {

const std::vector<KvLayerShape> kMixed = {{2, 64, 64}, {1, 576, 0}, {4, 32, 96}};

TEST(KvCache, RowsOfAllBlocksLayersHeadsAndTokensAreDisjoint) {
  KvCache cache(kMixed, 3, DType::q8_0, DType::f16);
  const size_t total = 3 * KvCache::block_bytes(kMixed, DType::q8_0, DType::f16);
  const std::byte* base = cache.keys(0).data;
  std::vector<uint8_t> owner(total, 0);
  auto claim = [&](const KvCache::Plane& plane, int64_t heads, size_t bytes) {
    for (int64_t block = 0; block < 3; ++block) {
      for (int64_t head = 0; head < heads; ++head) {
        for (int64_t token = 0; token < KvCache::kBlockTokens; ++token) {
          const std::byte* row =
              plane.data + block * plane.block_stride + token * plane.token_bytes + head * plane.head_bytes;
          ASSERT_GE(row, base);
          ASSERT_LE(row + bytes, base + total);
          for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(owner[(row - base) + i]++, 0);
        }
      }
    }
  };
  for (int64_t layer = 0; layer < cache.layers(); ++layer) {
    const KvLayerShape& shape = cache.layer(layer);
    claim(cache.keys(layer), shape.heads, row_bytes(DType::q8_0, shape.key_columns));
    if (shape.value_columns > 0) {
      claim(cache.values(layer), shape.heads, row_bytes(DType::f16, shape.value_columns));
    }
  }
}

TEST(KvCache, SharedRowsServeAsValues) {
  KvCache cache({{1, 576, 0}}, 2, DType::f16, DType::f16);
  EXPECT_EQ(cache.values(0).data, cache.keys(0).data);
  EXPECT_EQ(cache.values(0).token_bytes, cache.keys(0).token_bytes);
  EXPECT_EQ(cache.values(0).block_stride, cache.keys(0).block_stride);
}

TEST(KvCache, CopyBlockCopiesOnlyTheFirstTokensOfAllLayers) {
  KvCache cache(kMixed, 3, DType::f16, DType::q4_0);
  const size_t block = KvCache::block_bytes(kMixed, DType::f16, DType::q4_0);
  std::byte* base = cache.keys(0).data;
  for (size_t i = 0; i < block; ++i) base[i] = static_cast<std::byte>(i * 7 + 1);
  std::memset(base + block, 0xAA, 2 * block);
  cache.copy_block(0, 1, 5);
  for (int64_t layer = 0; layer < cache.layers(); ++layer) {
    for (const bool is_key : {true, false}) {
      const KvCache::Plane plane = is_key ? cache.keys(layer) : cache.values(layer);
      for (int64_t head = 0; head < cache.layer(layer).heads; ++head) {
        for (int64_t token = 0; token < KvCache::kBlockTokens; ++token) {
          const std::byte* from = plane.data + token * plane.token_bytes + head * plane.head_bytes;
          const std::byte* to = from + plane.block_stride;
          for (size_t i = 0; i < plane.token_bytes; ++i) {
            ASSERT_EQ(to[i], token < 5 ? from[i] : std::byte{0xAA}) << layer << " " << head << " " << token;
          }
        }
      }
    }
  }
  for (size_t i = 2 * block; i < 3 * block; ++i) ASSERT_EQ(base[i], std::byte{0xAA});
}

TEST(KvCache, MemoryIsReservedButNotTouched) {
  // A quarter TiB of address space (the thread sanitizer has no more): only possible when pages are touched
  // as used.
  const std::vector<KvLayerShape> layers(28, KvLayerShape{2, 128, 128});
  const auto blocks =
      static_cast<int64_t>((size_t{1} << 38) / KvCache::block_bytes(layers, DType::f16, DType::f16));
  KvCache cache(layers, blocks, DType::f16, DType::f16);
  const KvCache::Plane plane = cache.values(27);
  std::byte* last =
      plane.data + (blocks - 1) * plane.block_stride + 31 * plane.token_bytes + plane.head_bytes;
  EXPECT_EQ(*last, std::byte{0});
  *last = std::byte{1};
}

TEST(KvCache, RefusesWhatItCannotStore) {
  auto kind = [](auto&& make) {
    try {
      make();
    } catch (const Error& error) {
      return static_cast<int>(error.kind());
    }
    return -1;
  };
  const auto unsupported = static_cast<int>(ErrorKind::unsupported);
  const auto invalid = static_cast<int>(ErrorKind::invalid_argument);
  EXPECT_EQ(kind([] { KvCache({{2, 64, 64}}, 4, DType::bf16, DType::f16); }), unsupported);
  EXPECT_EQ(kind([] { KvCache({{2, 64, 64}}, 4, DType::f16, DType::q4_k); }), unsupported);
  EXPECT_EQ(kind([] { KvCache({{2, 48, 64}}, 4, DType::q8_0, DType::f16); }), unsupported);
  EXPECT_EQ(kind([] { KvCache({{2, 64, 8}}, 4, DType::f16, DType::q4_0); }), unsupported);
  EXPECT_EQ(kind([] { KvCache({{2, 64, 64}}, 0, DType::f16, DType::f16); }), invalid);
  EXPECT_EQ(kind([] { KvCache({{0, 64, 64}}, 1, DType::f16, DType::f16); }), invalid);
  EXPECT_EQ(kind([] {
              KvCache({{1, 1 << 20, 1 << 20}}, 2147483647, DType::f32, DType::f32);
            }),
            static_cast<int>(ErrorKind::out_of_memory));
  KvCache cache({{2, 64, 64}}, 4, DType::f16, DType::f16);
  EXPECT_EQ(kind([&] { cache.copy_block(0, 4, 1); }), invalid);
  EXPECT_EQ(kind([&] { cache.copy_block(0, 1, 33); }), invalid);
}

}  // namespace
}  // namespace r1
