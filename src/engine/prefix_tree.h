// Finds the longest run of tokens whose keys and values are still in the cache: a radix tree whose edges are
// blocks of 32 tokens.
//
// Invariants:
//  - the keys and values of a node's tokens, in its block, are those of the token path from the root; they
//    are never written again, so whoever shares the block reads the bits that it would have computed;
//  - keys and values depend on the weights that computed them: each version of an adapter has a root of its
//    own, and clear() forgets all when the model's weights change;
//  - only full nodes have children. A node with fewer tokens (a tail) may share its block with the sequence
//    that still appends to it: others copy the node's tokens out of it;
//  - a sequence that holds a node's block holds the blocks of all its ancestors. So every cached block can be
//    evicted, leaves first: what is available is free + cached.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "engine/kv_pool.h"

namespace r1 {

/// What tells an adapter with given weights from all others (Adapter::version()); null: no adapter. While
/// someone holds it, no other has its address.
using AdapterVersion = std::shared_ptr<const void>;

class PrefixTree {
 public:
  struct Node {
    std::vector<int32_t> tokens;  // 1 … block_tokens
    int32_t block = -1;           // -1: the root
    Node* parent = nullptr;
    std::vector<std::unique_ptr<Node>> children;
    uint64_t last_use = 0;
  };

  PrefixTree(KvPool& pool, int64_t block_tokens);

  struct Match {
    std::vector<int32_t> blocks;  // full blocks, each with a reference for the caller
    Node* tail = nullptr;         // node of the last of them (the root for none)
    Node* partial = nullptr;      // child of tail that agrees with some more tokens; not retained
    int64_t partial_tokens = 0;
  };
  /// The longest match that leaves at least one of `tokens` to compute: its logits are needed.
  Match match(std::span<const int32_t> tokens, Node* root);
  Match match(std::span<const int32_t> tokens) { return match(tokens, root()); }
  /// The number of tokens that match() would find. Changes nothing. `root` null: none.
  int64_t match_length(std::span<const int32_t> tokens, const Node* root) const;
  int64_t match_length(std::span<const int32_t> tokens) const { return match_length(tokens, find_root()); }

  /// Adds a full block below `tail` and moves `tail` to it. When the tree has these tokens already, returns its
  /// block instead, with a reference for the caller, and releases the caller's block.
  int32_t append(Node*& tail, std::span<const int32_t> tokens, int32_t block);
  /// Adds a partly filled block (1 … block_tokens - 1 tokens), or extends its node. Does nothing when the tree
  /// has these tokens already.
  void append_partial(Node* tail, std::span<const int32_t> tokens, int32_t block);

  /// Returns a block with one reference: a free one, otherwise that of the least recently used leaf, which is
  /// removed. -1: all blocks are in use.
  int32_t allocate();
  int64_t available() const { return pool_->free() + pool_->cached(); }
  /// As in KvPool. They also maintain the order of eviction.
  void retain(int32_t block);
  void release(int32_t block);

  /// The root for what an adapter computes, made when it is not there. It stays while someone else holds the
  /// version.
  Node* root(const AdapterVersion& adapter = nullptr);
  /// Null: there is none.
  const Node* find_root(const AdapterVersion& adapter = nullptr) const;

  /// Forgets everything: cached blocks become free, roots are gone. Throws std::logic_error while a block of
  /// the tree is in use.
  void clear();

  /// Throws std::logic_error that names the broken invariant.
  void check_integrity() const;

 private:
  Node* find_best(const Node* parent, std::span<const int32_t> tokens, int64_t* common) const;
  void touch(Node* node);
  void insert(Node* parent, std::span<const int32_t> tokens, int32_t block);
  void remove(Node* node);
  bool evictable(const Node* node) const;

  KvPool* pool_;
  int64_t block_tokens_;
  std::map<AdapterVersion, Node> roots_;
  std::vector<Node*> node_of_block_;
  std::set<std::pair<uint64_t, int32_t>> evictable_;  // (last_use, block) of unreferenced leaves
  uint64_t clock_ = 0;
};

}  // namespace r1
