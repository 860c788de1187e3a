#include "engine/kv_pool.h"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>

#include "base/error.h"

namespace r1 {
namespace {

void require(bool condition, const char* what, int32_t block) {
  if (!condition) throw std::logic_error(fmt::format("KV pool: {} (block {})", what, block));
}

}  // namespace

KvPool::KvPool(int64_t blocks) {
  if (blocks < 1 || blocks > std::numeric_limits<int32_t>::max()) {
    throw_error(ErrorKind::invalid_argument, "KV pool: blocks: expected 1 to {}, found {}",
                std::numeric_limits<int32_t>::max(), blocks);
  }
  blocks_.resize(blocks);
  free_.reserve(blocks);
  for (int64_t block = blocks - 1; block >= 0; --block) free_.push_back(static_cast<int32_t>(block));
}

int32_t KvPool::allocate() {
  if (free_.empty()) return -1;
  const int32_t block = free_.back();
  free_.pop_back();
  blocks_[block].references = 1;
  return block;
}

void KvPool::retain(int32_t block) {
  Block& entry = blocks_[block];
  require(entry.references > 0 || entry.in_tree, "retained a free block", block);
  if (entry.references++ == 0) --cached_;
}

void KvPool::release(int32_t block) {
  Block& entry = blocks_[block];
  require(entry.references > 0, "released a block without references", block);
  if (--entry.references > 0) return;
  if (entry.in_tree) {
    ++cached_;
  } else {
    free_.push_back(block);
  }
}

void KvPool::set_in_tree(int32_t block, bool in_tree) {
  Block& entry = blocks_[block];
  require(entry.in_tree != in_tree, in_tree ? "entered the tree twice" : "left the tree twice", block);
  require(entry.references > 0 || entry.in_tree, "a free block entered the tree", block);
  entry.in_tree = in_tree;
  if (!in_tree && entry.references == 0) {
    --cached_;
    free_.push_back(block);
  }
}

void KvPool::check_integrity(const std::vector<int32_t>& references) const {
  std::vector<bool> seen(blocks_.size(), false);
  for (int32_t block : free_) {
    require(block >= 0 && block < total(), "free list names a block that does not exist", block);
    require(!seen[block], "block is twice in the free list", block);
    seen[block] = true;
    require(blocks_[block].references == 0, "free block has references", block);
    require(!blocks_[block].in_tree, "free block is in the tree", block);
  }
  int64_t cached_found = 0;
  int64_t used_found = 0;
  for (int32_t block = 0; block < total(); ++block) {
    const Block& entry = blocks_[block];
    require(entry.references == references[block], "reference count differs from the owners'", block);
    if (entry.references > 0) {
      ++used_found;
    } else if (entry.in_tree) {
      ++cached_found;
    } else {
      require(seen[block], "block is lost: not free, not cached, not in use", block);
    }
  }
  if (cached_found != cached_ || used_found != in_use() || free() + cached() + in_use() != total()) {
    throw std::logic_error(
        fmt::format("KV pool: free {} + cached {} (counted {}) + in use {} (counted {}) ≠ {}", free(),
                    cached(), cached_found, in_use(), used_found, total()));
  }
}

}  // namespace r1
