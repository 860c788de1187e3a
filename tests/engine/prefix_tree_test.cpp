#include "engine/prefix_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "base/error.h"

namespace r1 {
namespace {

using Tokens = std::vector<int32_t>;
constexpr int64_t kTokens = 4;

struct Owner {
  Tokens tokens;
  std::vector<int32_t> blocks;
  PrefixTree::Node* tail = nullptr;
};

struct World {
  explicit World(int64_t blocks) : pool(blocks), tree(pool, kTokens) {}

  KvPool pool;
  PrefixTree tree;
  std::vector<Owner> owners;

  /// What a sequence does from admission to release; `hold` keeps its blocks.
  bool run(const Tokens& tokens, bool hold) {
    Owner owner;
    owner.tokens = tokens;
    PrefixTree::Match match = tree.match(tokens);
    owner.blocks = match.blocks;
    owner.tail = match.tail;
    const auto needed = (std::ssize(tokens) + kTokens - 1) / kTokens;
    while (std::ssize(owner.blocks) < needed) {
      const int32_t block = tree.allocate();
      if (block < 0) {
        drop(owner);
        return false;
      }
      owner.blocks.push_back(block);
    }
    const std::span<const int32_t> all = owner.tokens;
    int64_t index = std::ssize(match.blocks);
    for (; (index + 1) * kTokens <= std::ssize(tokens); ++index) {
      owner.blocks[index] =
          tree.append(owner.tail, all.subspan(index * kTokens, kTokens), owner.blocks[index]);
    }
    if (index * kTokens < std::ssize(tokens)) {
      tree.append_partial(owner.tail, all.subspan(index * kTokens), owner.blocks[index]);
    }
    if (hold) {
      owners.push_back(std::move(owner));
    } else {
      drop(owner);
    }
    return true;
  }
  void drop(Owner& owner) {
    for (auto block = owner.blocks.rbegin(); block != owner.blocks.rend(); ++block) tree.release(*block);
    owner.blocks.clear();
  }
  void check() const {
    std::vector<int32_t> references(pool.total(), 0);
    for (const Owner& owner : owners) {
      for (int32_t block : owner.blocks) ++references[block];
    }
    pool.check_integrity(references);
    tree.check_integrity();
  }
};

TEST(PrefixTreeTest, FindsWholeBlocksAndPartsButNeverEverything) {
  World world(8);
  world.run({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false);
  world.check();
  EXPECT_EQ(world.tree.match_length(Tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 9);
  EXPECT_EQ(world.tree.match_length(Tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), 10);
  EXPECT_EQ(world.tree.match_length(Tokens{1, 2, 3, 4, 5, 6, 7, 8}), 7);
  EXPECT_EQ(world.tree.match_length(Tokens{1, 2, 3, 4, 5, 99, 7, 8}), 5);
  EXPECT_EQ(world.tree.match_length(Tokens{2, 2, 3, 4}), 0);
  EXPECT_EQ(world.tree.match_length(Tokens{1}), 0);
  EXPECT_EQ(world.pool.cached(), 3);
}

TEST(PrefixTreeTest, EqualBlocksAreKeptOnce) {
  World world(8);
  // Both began before either was in the tree: neither finds the other.
  PrefixTree::Node* first = world.tree.root();
  PrefixTree::Node* second = world.tree.root();
  const int32_t a = world.tree.allocate();
  const int32_t b = world.tree.allocate();
  EXPECT_EQ(world.tree.append(first, Tokens{1, 2, 3, 4}, a), a);
  EXPECT_EQ(world.tree.append(second, Tokens{1, 2, 3, 4}, b), a);
  EXPECT_EQ(first, second);
  EXPECT_EQ(world.pool.references(a), 2);
  EXPECT_EQ(world.pool.free(), 7);
  world.tree.release(a);
  world.tree.release(a);
  world.check();
}

TEST(PrefixTreeTest, ForgetsTheLeastRecentlyUsedLeaf) {
  World world(4);
  world.run({1, 1, 1, 1, 2, 2, 2, 2}, false);
  world.run({3, 3, 3, 3}, false);
  world.run({4, 4, 4, 4}, false);
  world.run({1, 1, 1, 1, 2, 2, 2, 2, 9}, false);  // uses the first path again, and needs one more block
  world.check();
  EXPECT_EQ(world.tree.match_length(Tokens{3, 3, 3, 3, 0}), 0);
  EXPECT_EQ(world.tree.match_length(Tokens{4, 4, 4, 4, 0}), 4);
  EXPECT_EQ(world.tree.match_length(Tokens{1, 1, 1, 1, 2, 2, 2, 2, 9, 0}), 9);
}

TEST(PrefixTreeTest, NeverTakesABlockInUse) {
  World world(3);
  ASSERT_TRUE(world.run({1, 1, 1, 1, 2, 2, 2, 2}, true));
  ASSERT_TRUE(world.run({5, 5, 5, 5}, false));
  ASSERT_TRUE(world.run({6, 6}, false));  // in place of 5
  EXPECT_FALSE(world.run({7, 7, 7, 7, 7}, false));
  world.check();
  EXPECT_EQ(world.tree.match_length(Tokens{1, 1, 1, 1, 2, 2, 2, 2, 0}), 8);
}

TEST(PrefixTreeTest, KeepsItsInvariantsUnderRandomUse) {
  std::mt19937_64 random(1);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  World world(20);
  int failures = 0;
  for (int round = 0; round < 20000; ++round) {
    Tokens tokens(pick(1, 24));
    for (int32_t& token : tokens) token = static_cast<int32_t>(pick(0, 20) == 0);
    failures += world.run(tokens, pick(0, 2) == 0) ? 0 : 1;
    while (!world.owners.empty() && (world.owners.size() > 4 || pick(0, 2) == 0)) {
      const int64_t victim = pick(0, std::ssize(world.owners) - 1);
      world.drop(world.owners[victim]);
      world.owners.erase(world.owners.begin() + victim);
    }
    ASSERT_NO_THROW(world.check()) << round;
  }
  EXPECT_GT(failures, 10);
}

TEST(PrefixTreeTest, RootsOfVersionsThatAreGoneAreDropped) {
  KvPool pool(2);
  PrefixTree tree(pool, 4);
  AdapterVersion first = std::make_shared<int>(1);
  const AdapterVersion second = std::make_shared<int>(2), third = std::make_shared<int>(3);
  const std::weak_ptr<const void> watch = first;
  PrefixTree::Node* root = tree.root(first);
  EXPECT_EQ(tree.root(first), root);
  EXPECT_EQ(tree.find_root(second), nullptr);
  tree.root(second);
  EXPECT_EQ(tree.find_root(first), root) << "someone else holds it";
  first.reset();
  tree.root(third);
  EXPECT_TRUE(watch.expired());
  EXPECT_NE(tree.find_root(second), nullptr);
}

TEST(PrefixTreeTest, ClearForgetsWhatIsCachedAndRefusesWhatIsInUse) {
  World world(4);
  ASSERT_TRUE(world.run({1, 1, 1, 1, 2, 2}, true));
  EXPECT_THROW(world.tree.clear(), std::logic_error);
  world.check();
  world.drop(world.owners.back());
  world.owners.pop_back();
  EXPECT_EQ(world.tree.match_length(Tokens{1, 1, 1, 1, 2, 2, 0}), 6);
  world.tree.clear();
  world.check();
  EXPECT_EQ(world.pool.free(), 4);
  EXPECT_EQ(world.tree.match_length(Tokens{1, 1, 1, 1, 2, 2, 0}), 0);
  ASSERT_TRUE(world.run({1, 1, 1, 1, 2, 2}, false));
  EXPECT_EQ(world.tree.match_length(Tokens{1, 1, 1, 1, 2, 2, 0}), 6);
}

TEST(KvPoolTest, NoticesBrokenInvariants) {
  KvPool pool(3);
  const int32_t block = pool.allocate();
  EXPECT_NO_THROW(pool.check_integrity({1, 0, 0}));
  EXPECT_THROW(pool.check_integrity({0, 0, 0}), std::logic_error);
  EXPECT_THROW(pool.check_integrity({2, 0, 0}), std::logic_error);
  pool.release(block);
  EXPECT_THROW(pool.release(block), std::logic_error);
  EXPECT_THROW(pool.retain(block), std::logic_error);
  EXPECT_THROW(pool.set_in_tree(block, true), std::logic_error);
  EXPECT_THROW(KvPool(0), Error);
}

}  // namespace
}  // namespace r1
