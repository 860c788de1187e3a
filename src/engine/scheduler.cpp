#include "engine/scheduler.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "nn/adapter.h"

namespace r1 {
namespace {

constexpr int64_t kTokens = KvCache::kBlockTokens;
// Passes for which other owners' requests overtake one that does not fit.
constexpr int64_t kPatience = 256;
// New tokens that a sequence computes, at least, between two times that it is displaced.
constexpr int64_t kShortestTime = 32;

bool goes_before(const SequencePointer& a, const SequencePointer& b) {
  if (a->request.priority != b->request.priority) return a->request.priority > b->request.priority;
  if (a->turn != b->turn) return a->turn < b->turn;
  return a->id < b->id;
}

/// Blocks kept free for those who run to grow, so that who enters is not preempted at once.
int64_t growth_margin(int64_t running) {
  return (running + 7) / 8;
}

void insert_ordered(std::vector<SequencePointer>& list, SequencePointer sequence) {
  list.insert(std::upper_bound(list.begin(), list.end(), sequence, goes_before), std::move(sequence));
}

AdapterVersion version_of(const Adapter* adapter) {
  return adapter == nullptr ? nullptr : adapter->version();
}

}  // namespace

Scheduler::Scheduler(KvCache& cache, const EngineOptions& options)
    : cache_(&cache), options_(options), pool_(cache.blocks()), tree_(pool_, kTokens) {}

void Scheduler::add(SequencePointer sequence) {
  waiting_.push_back(std::move(sequence));
  order_changed_ = true;
}

void Scheduler::remove(const Sequence& sequence) {
  order_changed_ = true;
  const auto is_it = [&](const SequencePointer& other) { return other.get() == &sequence; };
  std::erase_if(waiting_, is_it);
  const auto found = std::find_if(running_.begin(), running_.end(), is_it);
  if (found == running_.end()) return;
  release(**found);
  running_.erase(found);
}

void Scheduler::commit(Sequence& sequence) {
  if (!options_.prefix_reuse) return;
  const std::span<const int32_t> tokens = sequence.tokens;
  for (; (sequence.tree_blocks + 1) * kTokens <= sequence.computed; ++sequence.tree_blocks) {
    int32_t& block = sequence.blocks[sequence.tree_blocks];
    block = tree_.append(sequence.tail, tokens.subspan(sequence.tree_blocks * kTokens, kTokens), block);
  }
  // The rest of the prompt, once: other samples of the same question begin there.
  if (!sequence.prompt_tail_in_tree && sequence.computed >= sequence.prompt_tokens) {
    sequence.prompt_tail_in_tree = true;
    const int64_t begin = sequence.tree_blocks * kTokens;
    if (begin < sequence.prompt_tokens) {
      tree_.append_partial(sequence.tail, tokens.subspan(begin, sequence.prompt_tokens - begin),
                           sequence.blocks[sequence.tree_blocks]);
    }
  }
}

void Scheduler::release(Sequence& sequence) {
  if (options_.prefix_reuse && !sequence.blocks.empty()) {
    commit(sequence);
    const int64_t begin = sequence.tree_blocks * kTokens;
    if (begin < sequence.computed) {
      tree_.append_partial(sequence.tail,
                           std::span(sequence.tokens).subspan(begin, sequence.computed - begin),
                           sequence.blocks[sequence.tree_blocks]);
    }
  }
  // Last first: a node's block is never in use while its parent's is not.
  for (auto block = sequence.blocks.rbegin(); block != sequence.blocks.rend(); ++block) tree_.release(*block);
  sequence.blocks.clear();
  sequence.tree_blocks = 0;
  sequence.tail = nullptr;
  sequence.adapter_version.reset();
  sequence.prompt_tail_in_tree = false;
  sequence.furthest = std::max(sequence.furthest, sequence.computed);
  sequence.computed = 0;
}

void Scheduler::preempt(size_t index) {
  SequencePointer sequence = running_[index];
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  release(*sequence);
  ++sequence->summary.preemptions;
  ++preemptions_;
  insert_ordered(waiting_, std::move(sequence));
}

bool Scheduler::grow(Sequence& sequence, int64_t tokens) {
  while (std::ssize(sequence.blocks) < KvCache::blocks_for(tokens)) {
    const int32_t block = tree_.allocate();
    if (block < 0) return false;
    sequence.blocks.push_back(block);
  }
  return true;
}

bool Scheduler::try_admit(Sequence& sequence) {
  sequence.adapter_version = version_of(sequence.request.adapter);
  PrefixTree::Node* root = tree_.root(sequence.adapter_version);
  sequence.tail = root;
  PrefixTree::Match match;
  if (options_.prefix_reuse) {
    match = tree_.match(sequence.tokens, root);
    sequence.tail = match.tail;
    sequence.blocks = std::move(match.blocks);
  }
  sequence.tree_blocks = std::ssize(sequence.blocks);
  const int64_t needed = KvCache::blocks_for(std::ssize(sequence.tokens)) - std::ssize(sequence.blocks);
  if (needed + growth_margin(std::ssize(running_)) > tree_.available()) {
    for (auto block = sequence.blocks.rbegin(); block != sequence.blocks.rend(); ++block)
      tree_.release(*block);
    sequence.blocks.clear();
    sequence.tree_blocks = 0;
    sequence.tail = nullptr;
    return false;
  }
  sequence.computed = sequence.tree_blocks * kTokens;
  if (match.partial != nullptr) {
    const int32_t source = match.partial->block;
    const bool whole = match.partial_tokens == std::ssize(match.partial->tokens);
    tree_.retain(source);
    if (whole && pool_.references(source) == 1) {
      sequence.blocks.push_back(source);  // nobody else writes to it: continued in place
      sequence.computed += match.partial_tokens;
    } else {
      const int32_t copy = tree_.allocate();
      if (copy >= 0) {
        cache_->copy_block(source, copy, match.partial_tokens);
        sequence.blocks.push_back(copy);
        sequence.computed += match.partial_tokens;
      }
      tree_.release(source);
    }
  }
  if (!grow(sequence, std::ssize(sequence.tokens)))
    throw std::logic_error("scheduler: counted blocks are gone");
  if (!sequence.has_started) sequence.summary.reused_tokens = sequence.computed;
  const int64_t lost = std::max<int64_t>(0, sequence.furthest - sequence.computed);
  sequence.displaceable = sequence.computed + lost + std::max(kShortestTime, lost);
  return true;
}

bool Scheduler::shares_unfinished_prefix(const Sequence& sequence) const {
  // Sixty-four samples of one question: the others wait until the first has read it.
  if (!options_.prefix_reuse) return false;
  int64_t matched = -1;
  for (const SequencePointer& other : running_) {
    if (other->uncomputed() <= 1 || other->request.adapter != sequence.request.adapter) continue;
    const size_t limit = std::min(other->tokens.size(), sequence.tokens.size() - 1);
    const int64_t common =
        std::mismatch(other->tokens.begin(), other->tokens.begin() + static_cast<std::ptrdiff_t>(limit),
                      sequence.tokens.begin())
            .first -
        other->tokens.begin();
    if (common < kTokens || other->computed >= common) continue;
    if (matched < 0) {
      matched = tree_.match_length(sequence.tokens, tree_.find_root(version_of(sequence.request.adapter)));
    }
    if (common >= matched + kTokens) return true;
  }
  return false;
}

/// Whether a waiting sequence may take the place of a running one of another owner: one whose owner has more
/// before it, or, for memory, one that has had its time and either holds more than the waiting one needs or has
/// kept it waiting for long.
bool Scheduler::may_displace(const Sequence& sequence, const Sequence& running, bool for_memory) const {
  if (running.request.owner == sequence.request.owner) return false;
  if (running.request.priority > sequence.request.priority) return false;
  if (running.turn > sequence.turn) return true;
  if (!for_memory || running.turn < sequence.turn || running.computed < running.displaceable) return false;
  return std::ssize(running.blocks) > KvCache::blocks_for(std::ssize(sequence.tokens)) ||
         sequence.blocked_passes >= kPatience;
}

/// Whether a waiting sequence fits when all that it may displace are gone.
bool Scheduler::fits_by_displacing(const Sequence& sequence) const {
  int64_t room = tree_.available();
  for (const SequencePointer& running : running_) {
    if (may_displace(sequence, *running, true)) room += std::ssize(running->blocks);
  }
  return room >= KvCache::blocks_for(std::ssize(sequence.tokens)) + growth_margin(std::ssize(running_));
}

/// Ends the time of the running sequence that is the last in order or, of those with the same turn, holds most.
bool Scheduler::displace_one(const Sequence& sequence, bool for_memory) {
  const Sequence* victim = nullptr;
  size_t place = 0;
  for (size_t index = running_.size(); index-- > 0;) {
    const Sequence& running = *running_[index];
    if (!may_displace(sequence, running, for_memory)) continue;
    if (victim != nullptr && (running.turn != victim->turn || running.blocks.size() <= victim->blocks.size()))
      continue;
    victim = &running;
    place = index;
  }
  if (victim == nullptr) return false;
  preempt(place);
  return true;
}

void Scheduler::admit() {
  std::vector<uint64_t> blocked;  // owners with a request that does not enter: their later ones do not either
  for (size_t index = 0; index < waiting_.size();) {
    const bool full = std::ssize(running_) >= options_.sequences;
    if (full && !several_owners_) return;
    const SequencePointer sequence = waiting_[index];
    const uint64_t owner = sequence->request.owner;
    if (std::ranges::find(blocked, owner) != blocked.end() || shares_unfinished_prefix(*sequence)) {
      ++index;
      continue;
    }
    const bool may_fit = !several_owners_ || fits_by_displacing(*sequence);
    const bool has_slot = !full || (may_fit && displace_one(*sequence, false));
    bool admitted = has_slot && try_admit(*sequence);
    while (!admitted && has_slot && may_fit && several_owners_ && displace_one(*sequence, true)) {
      admitted = try_admit(*sequence);
    }
    if (admitted) {
      sequence->blocked_passes = 0;
      std::erase(waiting_, sequence);  // displaced ones may stand before it now
      insert_ordered(running_, sequence);
      continue;
    }
    // Nobody overtakes one that does not fit, so that a long prompt gets its turn; other owners' requests may for
    // a while.
    if (!several_owners_ || (has_slot && ++sequence->blocked_passes > kPatience)) return;
    blocked.push_back(owner);
    ++index;
  }
}

void Scheduler::reserve_decode_rows() {
  // A sequence at its last uncomputed token may need one more block; the last in order pays.
  for (size_t index = 0; index < running_.size(); ++index) {
    Sequence& sequence = *running_[index];
    while (!grow(sequence, std::ssize(sequence.tokens))) {
      const bool itself = index + 1 == running_.size();
      preempt(running_.size() - 1);
      if (itself) return;
    }
  }
}

/// Sorts both lists by priority, turn and arrival, when sequences came or went.
void Scheduler::take_turns() {
  if (!std::exchange(order_changed_, false)) return;
  std::vector<Sequence*> all;
  for (const auto* list : {&running_, &waiting_}) {
    for (const SequencePointer& sequence : *list) all.push_back(sequence.get());
  }
  std::ranges::sort(all, [](const Sequence* a, const Sequence* b) {
    return a->request.priority != b->request.priority ? a->request.priority > b->request.priority
                                                      : a->id < b->id;
  });
  std::unordered_map<uint64_t, int64_t> turns;  // of the priority at hand
  std::unordered_map<uint64_t, uint64_t> decode_turns;
  for (size_t index = 0; index < all.size(); ++index) {
    const Request& request = all[index]->request;
    if (index > 0 && all[index - 1]->request.priority != request.priority) turns.clear();
    all[index]->turn = turns[request.owner]++;
    const auto found = decode_turns_.find(request.owner);
    decode_turns[request.owner] = found == decode_turns_.end() ? 0 : found->second;
  }
  several_owners_ = decode_turns.size() > 1;
  decode_turns_ = std::move(decode_turns);
  std::ranges::sort(running_, goes_before);
  std::ranges::sort(waiting_, goes_before);
}

const std::vector<PlannedSlice>& Scheduler::plan() {
  plan_.clear();
  take_turns();
  reserve_decode_rows();
  admit();
  if (!running_.empty()) pack();
  return plan_;
}

void Scheduler::check_integrity() const {
  std::vector<int32_t> references(pool_.total(), 0);
  for (const SequencePointer& sequence : running_) {
    for (int32_t block : sequence->blocks) ++references[block];
    if (sequence->computed > std::ssize(sequence->blocks) * kTokens) {
      throw std::logic_error("scheduler: computed tokens without a block");
    }
  }
  for (const SequencePointer& sequence : waiting_) {
    if (!sequence->blocks.empty() || sequence->computed != 0) {
      throw std::logic_error("scheduler: a waiting sequence holds memory");
    }
  }
  pool_.check_integrity(references);
  tree_.check_integrity();
}

}  // namespace r1
