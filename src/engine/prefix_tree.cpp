#include "engine/prefix_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace r1 {
namespace {

int64_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t limit = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin();
}

}  // namespace

PrefixTree::PrefixTree(KvPool& pool, int64_t block_tokens)
    : pool_(&pool), block_tokens_(block_tokens), node_of_block_(pool.total(), nullptr) {}

PrefixTree::Node* PrefixTree::find_best(const Node* parent, std::span<const int32_t> tokens,
                                        int64_t* common) const {
  Node* best = nullptr;
  *common = 0;
  for (const auto& child : parent->children) {
    const int64_t length = common_prefix(child->tokens, tokens);
    if (length > *common) {
      *common = length;
      best = child.get();
    }
  }
  return best;
}

bool PrefixTree::evictable(const Node* node) const {
  return node->block >= 0 && node->children.empty() && pool_->references(node->block) == 0;
}

void PrefixTree::touch(Node* node) {
  if (node->block < 0) return;
  const bool listed = evictable(node);
  if (listed) evictable_.erase({node->last_use, node->block});
  node->last_use = ++clock_;
  if (listed) evictable_.insert({node->last_use, node->block});
}

PrefixTree::Match PrefixTree::match(std::span<const int32_t> tokens, Node* root) {
  Match result;
  result.tail = root;
  if (tokens.empty()) return result;
  std::span<const int32_t> rest = tokens.first(tokens.size() - 1);
  for (;;) {
    int64_t common = 0;
    Node* child = find_best(result.tail, rest, &common);
    if (common < block_tokens_) {
      result.partial = child;
      result.partial_tokens = common;
      return result;
    }
    touch(child);
    retain(child->block);
    result.blocks.push_back(child->block);
    result.tail = child;
    rest = rest.subspan(block_tokens_);
  }
}

int64_t PrefixTree::match_length(std::span<const int32_t> tokens, const Node* root) const {
  if (tokens.empty() || root == nullptr) return 0;
  std::span<const int32_t> rest = tokens.first(tokens.size() - 1);
  const Node* node = root;
  for (int64_t length = 0;; length += block_tokens_) {
    int64_t common = 0;
    const Node* child = find_best(node, rest, &common);
    if (common < block_tokens_) return length + common;
    node = child;
    rest = rest.subspan(block_tokens_);
  }
}

void PrefixTree::insert(Node* parent, std::span<const int32_t> tokens, int32_t block) {
  if (evictable(parent)) evictable_.erase({parent->last_use, parent->block});
  auto node = std::make_unique<Node>();
  node->tokens.assign(tokens.begin(), tokens.end());
  node->block = block;
  node->parent = parent;
  node->last_use = ++clock_;
  node_of_block_[block] = node.get();
  pool_->set_in_tree(block, true);  // the block is the caller's, so it is not evictable yet
  parent->children.push_back(std::move(node));
}

void PrefixTree::remove(Node* node) {
  if (evictable(node)) evictable_.erase({node->last_use, node->block});
  Node* parent = node->parent;
  node_of_block_[node->block] = nullptr;
  pool_->set_in_tree(node->block, false);
  std::erase_if(parent->children, [node](const auto& child) { return child.get() == node; });
  if (evictable(parent)) evictable_.insert({parent->last_use, parent->block});
}

int32_t PrefixTree::append(Node*& tail, std::span<const int32_t> tokens, int32_t block) {
  Node* known = node_of_block_[block];  // the node that holds this block's first tokens, if any
  int64_t common = 0;
  Node* best = find_best(tail, tokens, &common);
  if (common == block_tokens_) {
    if (best != known) {
      touch(best);
      retain(best->block);
      if (known != nullptr) remove(known);
      release(block);
    }
    tail = best;
    return best->block;
  }
  if (known != nullptr) {
    known->tokens.assign(tokens.begin(), tokens.end());
    touch(known);
  } else {
    // A shorter tail without references holds nothing that this block does not.
    if (best != nullptr && common == static_cast<int64_t>(best->tokens.size()) && evictable(best))
      remove(best);
    insert(tail, tokens, block);
    known = node_of_block_[block];
  }
  tail = known;
  return block;
}

void PrefixTree::append_partial(Node* tail, std::span<const int32_t> tokens, int32_t block) {
  if (tokens.empty()) return;
  Node* known = node_of_block_[block];
  if (known != nullptr) {
    if (tokens.size() > known->tokens.size()) known->tokens.assign(tokens.begin(), tokens.end());
    touch(known);
    return;
  }
  int64_t common = 0;
  Node* best = find_best(tail, tokens, &common);
  if (common == static_cast<int64_t>(tokens.size())) {
    touch(best);
    return;
  }
  if (best != nullptr && common == static_cast<int64_t>(best->tokens.size()) && evictable(best)) remove(best);
  insert(tail, tokens, block);
}

int32_t PrefixTree::allocate() {
  if (pool_->free() == 0 && !evictable_.empty()) remove(node_of_block_[evictable_.begin()->second]);
  return pool_->allocate();
}

void PrefixTree::retain(int32_t block) {
  const Node* node = node_of_block_[block];
  if (node != nullptr && evictable(node)) evictable_.erase({node->last_use, block});
  pool_->retain(block);
}

void PrefixTree::release(int32_t block) {
  pool_->release(block);
  const Node* node = node_of_block_[block];
  if (node != nullptr && evictable(node)) evictable_.insert({node->last_use, block});
}

PrefixTree::Node* PrefixTree::root(const AdapterVersion& adapter) {
  const auto found = roots_.find(adapter);
  if (found != roots_.end()) return &found->second;
  // Adapters come and go: an empty root whose version nobody else holds will not be asked for again.
  std::erase_if(roots_, [](const auto& entry) {
    return entry.first.use_count() == 1 && entry.second.children.empty();
  });
  return &roots_[adapter];
}

const PrefixTree::Node* PrefixTree::find_root(const AdapterVersion& adapter) const {
  const auto found = roots_.find(adapter);
  return found == roots_.end() ? nullptr : &found->second;
}

void PrefixTree::clear() {
  for (int32_t block = 0; block < pool_->total(); ++block) {
    if (node_of_block_[block] == nullptr) continue;
    if (pool_->references(block) > 0) {
      throw std::logic_error(fmt::format("prefix tree: cleared while block {} is in use", block));
    }
  }
  for (int32_t block = 0; block < pool_->total(); ++block) {
    if (node_of_block_[block] != nullptr) pool_->set_in_tree(block, false);
  }
  node_of_block_.assign(node_of_block_.size(), nullptr);
  evictable_.clear();
  roots_.clear();
}

void PrefixTree::check_integrity() const {
  const auto require = [](bool condition, const char* what, int32_t block) {
    if (!condition) throw std::logic_error(fmt::format("prefix tree: {} (block {})", what, block));
  };
  size_t nodes = 0;
  size_t leaves = 0;
  std::vector<const Node*> open;
  for (const auto& [adapter, root] : roots_) open.push_back(&root);
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node->block >= 0) {
      ++nodes;
      const int32_t block = node->block;
      require(node_of_block_[block] == node, "a block has two nodes", block);
      require(pool_->in_tree(block), "a node's block is not marked as in the tree", block);
      require(!node->tokens.empty() && std::ssize(node->tokens) <= block_tokens_, "bad node length", block);
      require(node->children.empty() || std::ssize(node->tokens) == block_tokens_, "a tail has children",
              block);
      require(pool_->references(block) == 0 || node->parent->block < 0 ||
                  pool_->references(node->parent->block) > 0,
              "a block is in use and its parent is not", block);
      const bool listed = evictable_.contains({node->last_use, block});
      require(listed == evictable(node), "the list of evictable leaves is wrong", block);
      leaves += listed ? 1 : 0;
    }
    for (const auto& child : node->children) {
      require(child->parent == node, "a child names another parent", child->block);
      open.push_back(child.get());
    }
  }
  require(leaves == evictable_.size(), "the list of evictable leaves names others", -1);
  for (int32_t block = 0; block < pool_->total(); ++block) {
    if (node_of_block_[block] != nullptr) --nodes;
    require((node_of_block_[block] != nullptr) == pool_->in_tree(block), "pool and tree differ", block);
  }
  require(nodes == 0, "nodes without a place in the index", -1);
}

}  // namespace r1
