// Who owns which block of the KV cache: free list and reference counts.
//
// A block is in exactly one state: free (nobody knows it), in use (references > 0: running sequences read or
// write it), or cached (no references, but the prefix tree still names it, so that its contents can be found
// again). One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace r1 {

class KvPool {
 public:
  explicit KvPool(int64_t blocks);

  int64_t total() const { return static_cast<int64_t>(blocks_.size()); }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  int64_t cached() const { return cached_; }
  int64_t in_use() const { return total() - free() - cached(); }

  /// A free block with one reference; -1 when none is free.
  int32_t allocate();
  /// Adds a reference to a block that is in use or cached.
  void retain(int32_t block);
  /// Drops a reference. A block without references is cached if the tree names it, otherwise free.
  void release(int32_t block);
  int32_t references(int32_t block) const { return blocks_[block].references; }

  /// Records whether the prefix tree names the block. An unreferenced block that leaves the tree becomes free.
  void set_in_tree(int32_t block, bool in_tree);
  bool in_tree(int32_t block) const { return blocks_[block].in_tree; }

  /// `references`: for each block, the number of references that the running sequences hold. Throws
  /// std::logic_error that names the first broken invariant.
  void check_integrity(const std::vector<int32_t>& references) const;

 private:
  struct Block {
    int32_t references = 0;
    bool in_tree = false;
  };
  std::vector<Block> blocks_;
  std::vector<int32_t> free_;  // a stack: the block released last is warm in the cache
  int64_t cached_ = 0;
};

}  // namespace r1
