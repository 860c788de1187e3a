// Decides what the next forward pass computes: who runs, who waits, who gives its memory back.
// The rules and why: docs/engine.md. One thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engine/engine_options.h"
#include "engine/kv_pool.h"
#include "engine/prefix_tree.h"
#include "engine/sequence.h"
#include "model/kv_cache.h"

namespace r1 {

/// Rows [sequence.computed, sequence.computed + rows) of a sequence. The last `outputs` of them have logits:
/// none in the middle of a prompt, 1 + drafts at its end and in decoding.
struct PlannedSlice {
  Sequence* sequence = nullptr;
  int64_t rows = 0;
  int64_t outputs = 0;
};

class Scheduler {
 public:
  Scheduler(KvCache& cache, const EngineOptions& options);

  void add(SequencePointer sequence);
  /// Removes a running or waiting sequence. Its blocks are released; the prefix tree keeps what they hold.
  void remove(const Sequence& sequence);

  /// Admits, preempts and packs. The plan is valid until the next call of the scheduler. Not empty unless
  /// nothing is left to do.
  const std::vector<PlannedSlice>& plan();
  /// To be called after tokens were computed: puts the sequence's blocks into the prefix tree.
  void commit(Sequence& sequence);
  /// Forgets all cached keys and values. Only while nothing runs.
  void forget_cached() { tree_.clear(); }

  const std::vector<SequencePointer>& running() const { return running_; }
  const std::vector<SequencePointer>& waiting() const { return waiting_; }
  const KvPool& pool() const { return pool_; }
  int64_t preemptions() const { return preemptions_; }
  void check_integrity() const;

 private:
  /// The running sequences of one owner, and the rows that it gets in a pass.
  struct Share {
    uint64_t owner = 0;
    std::vector<Sequence*> prefilling, decoding;
    int64_t rows = 0;

    int64_t demand() const;
  };

  // Who runs.
  void take_turns();
  void reserve_decode_rows();
  void admit();
  bool try_admit(Sequence& sequence);
  bool shares_unfinished_prefix(const Sequence& sequence) const;
  bool may_displace(const Sequence& sequence, const Sequence& running, bool for_memory) const;
  bool fits_by_displacing(const Sequence& sequence) const;
  bool displace_one(const Sequence& sequence, bool for_memory);
  void preempt(size_t index);
  bool grow(Sequence& sequence, int64_t tokens);
  void release(Sequence& sequence);
  // What a pass computes (scheduler_packing.cpp).
  void pack();
  std::vector<Share> gather_shares() const;
  void deal_rows(std::vector<Share>& shares);
  void pack_decode_rows(Share& share, int64_t& draft_rows);
  void pack_drafts(Sequence& sequence, int64_t limit);
  void pack_prompts(Share& share);

  KvCache* cache_;
  EngineOptions options_;
  KvPool pool_;
  PrefixTree tree_;
  // Both in order: priority, turn, arrival.
  std::vector<SequencePointer> waiting_;
  std::vector<SequencePointer> running_;
  bool order_changed_ = false;   // sequences came or went since take_turns()
  bool several_owners_ = false;  // among all sequences
  std::vector<PlannedSlice> plan_;
  std::unordered_map<uint64_t, uint64_t> decode_turns_;  // by owner: rotates who decodes when not all fit
  uint64_t owner_turn_ = 0;                              // rotates owners when there are more than rows
  int64_t preemptions_ = 0;
};

}  // namespace r1
